"""Content parts as the wire has them, both directions (api 9.20)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, assert_never

from pydantic import Discriminator, Tag

from eunoe.domain.messages import (
    Image,
    Json,
    OmittedReasoning,
    Part,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
)
from eunoe.domain.pictures import picture
from eunoe.domain.wellformed import json_object
from eunoe.errors import ImageInvalid, Invalid
from eunoe.wire.shape import Shape, told_apart


class TextContent(Shape):
    type: Literal["text"] = "text"
    text: str
    signature: str | None = None


class UrlImage(Shape):
    type: Literal["url"] = "url"
    url: str


class Base64Image(Shape):
    type: Literal["base64"] = "base64"
    media_type: str
    data: str
    detail: str | None = None


class LettaImage(Shape):
    """An image of a file; accepted where the caller sends its bytes along."""

    type: Literal["letta"] = "letta"
    file_id: str
    media_type: str | None = None
    data: str | None = None
    detail: str | None = None


class ImageContent(Shape):
    type: Literal["image"] = "image"
    source: Annotated[UrlImage | Base64Image | LettaImage, Discriminator("type")]


class ToolCallContent(Shape):
    type: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    input: dict[str, Any]
    signature: str | None = None


class ToolReturnContent(Shape):
    type: Literal["tool_return"] = "tool_return"
    tool_call_id: str
    content: str
    is_error: bool


class ReasoningContent(Shape):
    type: Literal["reasoning"] = "reasoning"
    is_native: bool
    reasoning: str
    signature: str | None = None


class RedactedReasoningContent(Shape):
    type: Literal["redacted_reasoning"] = "redacted_reasoning"
    data: str


class OmittedReasoningContent(Shape):
    type: Literal["omitted_reasoning"] = "omitted_reasoning"
    signature: str | None = None


class SummarizedReasoningPart(Shape):
    index: int
    text: str


class SummarizedReasoningContent(Shape):
    type: Literal["summarized_reasoning"] = "summarized_reasoning"
    id: str
    summary: list[SummarizedReasoningPart]
    encrypted_content: str | None = None


ContentPart: TypeAlias = Annotated[
    Annotated[TextContent, Tag("text")]
    | Annotated[ImageContent, Tag("image")]
    | Annotated[ToolCallContent, Tag("tool_call")]
    | Annotated[ToolReturnContent, Tag("tool_return")]
    | Annotated[ReasoningContent, Tag("reasoning")]
    | Annotated[RedactedReasoningContent, Tag("redacted_reasoning")]
    | Annotated[OmittedReasoningContent, Tag("omitted_reasoning")]
    | Annotated[SummarizedReasoningContent, Tag("summarized_reasoning")],
    told_apart(lambda part: "image" if "source" in part else "text"),
]
Content: TypeAlias = str | list[ContentPart]

_THOUGHTS: Final = {"reasoning", "redacted_reasoning", "omitted_reasoning", "summarized_reasoning"}
SENDABLE: Final[dict[str, set[str]]] = {
    "user": {"text", "image"},
    "system": {"text"},
    "assistant": {"text", *_THOUGHTS},
}
"""Which parts a sent message may hold, by role: what a model can be told in that role."""


class FetchImage(Protocol):
    """Gets the image behind a URL; raises `errors.Invalid` when it cannot (L6)."""

    async def __call__(self, url: str) -> Image: ...


async def parts_of(content: Content, *, fetch: FetchImage) -> tuple[Part, ...]:
    """Return what a caller sent as parts, images by URL fetched; raise `Invalid` if empty (L6)."""
    if isinstance(content, str):
        parts: list[Part] = [Text(text=content)]
    else:
        parts = [await part_of(part, fetch=fetch) for part in content]
    said = [part for part in parts if not isinstance(part, Text) or part.text]
    if not said:
        raise Invalid("The content of the message is empty; say something.")
    return tuple(said)


async def part_of(part: ContentPart, *, fetch: FetchImage) -> Part:
    """Return one part of what a caller sent; raise `Invalid` for one that cannot be had."""
    if isinstance(part, ImageContent):
        return await _image(part.source, fetch=fetch)
    if isinstance(part, ToolCallContent | ToolReturnContent):
        raise Invalid(f"A part of type {part.type} cannot be sent.")
    return plain_part(part)


def plain_part(
    part: TextContent
    | ReasoningContent
    | RedactedReasoningContent
    | OmittedReasoningContent
    | SummarizedReasoningContent,
) -> Part:
    """Return a part that is words alone."""
    match part:
        case TextContent():
            return Text(text=part.text, signature=part.signature)
        case ReasoningContent():
            return Reasoning(text=part.reasoning, signature=part.signature, native=part.is_native)
        case RedactedReasoningContent():
            return RedactedReasoning(data=part.data)
        case OmittedReasoningContent():
            return OmittedReasoning(signature=part.signature)
        case SummarizedReasoningContent():
            ordered = sorted(part.summary, key=lambda one: one.index)
            return SummarizedReasoning(
                id=part.id,
                summary=tuple(one.text for one in ordered),
                encrypted=part.encrypted_content,
            )
        case _:
            assert_never(part)


async def _image(source: UrlImage | Base64Image | LettaImage, *, fetch: FetchImage) -> Image:
    if isinstance(source, UrlImage):
        return await fetch(source.url)
    if isinstance(source, LettaImage) and source.data is None:
        raise Invalid(f"The image of file {source.file_id} has no data; send its bytes as base64.")
    return held_image(source)


def held_image(source: Base64Image | LettaImage) -> Image:
    """Return an image, of the type that its bytes say; raise `ImageInvalid` for what is none."""
    called = source.media_type or "image/png"
    image = picture(source.data or "", called=called, detail=source.detail)
    if image is None:
        raise ImageInvalid
    return image


def shown_content(parts: Sequence[Part]) -> str | list[Json]:
    """Return the content of a user message, opened: text alone as a string, else its parts."""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return opened(parts[0].text)
    said = (replace(one, text=opened(one.text)) if isinstance(one, Text) else one for one in parts)
    return list(part_bodies(said))


def part_bodies(parts: Iterable[Part]) -> Iterable[Json]:
    """Yield each part as the wire stores and shows it."""
    return map(_part_body, parts)


def _part_body(part: Part) -> Json:
    match part:
        case Text():
            return {"type": "text", "text": part.text, "signature": part.signature}
        case Image():
            return {
                "type": "image",
                "source": {
                    "type": "base64",
                    "media_type": part.media_type,
                    "data": part.data,
                    "detail": part.detail,
                },
            }
        case Reasoning():
            return {
                "type": "reasoning",
                "is_native": part.native,
                "reasoning": part.text,
                "signature": part.signature,
            }
        case RedactedReasoning():
            return {"type": "redacted_reasoning", "data": part.data}
        case OmittedReasoning():
            return {"type": "omitted_reasoning", "signature": part.signature}
        case SummarizedReasoning():
            return {
                "type": "summarized_reasoning",
                "id": part.id,
                "summary": [
                    {"index": index, "text": text} for index, text in enumerate(part.summary)
                ],
                "encrypted_content": part.encrypted,
            }
        case _:
            assert_never(part)


def opened(text: str) -> str:
    """Return what a user's text says: the inner message of a user envelope (api 9.14).

    Any other text stays as it is; logins, heartbeats and alerts keep their JSON.
    """
    if not text.startswith("{"):
        return text
    envelope = json_object(text)
    message = envelope.get("message")
    if envelope.get("type") != "user_message" or not isinstance(message, str):
        return text
    return message
