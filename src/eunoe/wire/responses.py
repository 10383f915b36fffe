"""The Responses API: an agent behind OpenAI's newer wire, request, object and events.

As with chat completions the last user message counts: the agent remembers by itself, so
`previous_response_id` and `store` are accepted and change nothing, and so are
`instructions`, because in their place stands the agent's own prompt with its memory.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from eunoe.domain.events import Used
from eunoe.domain.messages import Json
from eunoe.errors import Invalid, ModelRateLimited
from eunoe.ids import is_id
from eunoe.wire.completions import Head, check_tools, content_of, last_user_message
from eunoe.wire.content import ContentPart, ImageContent, TextContent, UrlImage
from eunoe.wire.sends import MessageCreate
from eunoe.wire.shape import Shape
from eunoe.wire.speech import Close, Speech

_NO_BACKGROUND: Final = (
    "Responses cannot be fetched later, so background must be left out; a client that leaves "
    "does not end its run."
)


class ResponseRequest(Shape):
    """A request as the clients of that API send it; fields not named here are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(description="The id of the agent that is to answer.")
    input: Annotated[
        Any,
        WithJsonSchema(
            {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}
        ),
    ] = None
    stream: bool | None = None
    conversation: str | Json | None = Field(
        default=None, description="A conversation of the agent, by id or as an object with one."
    )
    user: str | None = Field(default=None, description="The acting user, where it is a user id.")
    previous_response_id: str | None = None
    metadata: dict[str, str] | None = None
    background: bool | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    text: Json | None = None
    prompt: Json | None = None


def message_of(request: ResponseRequest) -> MessageCreate:
    """Return the one message that the agent gets; raise `Invalid` for what cannot be done."""
    check_tools(request.tools, request.tool_choice)
    if request.background:
        raise Invalid(_NO_BACKGROUND, param="background")
    if request.prompt is not None:
        raise Invalid("Stored prompts are not known here; send an input.", param="prompt")
    if (request.text or {}).get("format") not in (None, {"type": "text"}):
        raise Invalid("The form of answers is set on the agent.", param="text.format")
    given: object = request.input
    if isinstance(given, str):
        return MessageCreate(role="user", content=given)
    if not isinstance(given, list) or not given:
        raise Invalid("Give an input: a text, or a list with a user message.", param="input")
    items = [_object(one) for one in cast("list[object]", given)]
    content = last_user_message(items, param="input")["content"]
    said = content_of(content, part=_part, of="an item", param="input")
    return MessageCreate(role="user", content=said)


def conversation_of(request: ResponseRequest) -> str | None:
    """Return the conversation that is meant; null for what is said to the agent itself."""
    given = request.conversation
    named: object = given.get("id") if isinstance(given, Mapping) else given
    if named is None:
        return None
    if not isinstance(named, str) or not is_id("conversation", named):
        raise Invalid("The conversation must be named by its id.", param="conversation")
    return named


def _object(given: object) -> Json:
    if not isinstance(given, dict):
        raise Invalid("The items of an input are objects.", param="input")
    return cast("Json", given)


def _part(given: object) -> ContentPart:
    part = _object(given)
    match part:
        case {"type": "input_text", "text": str(text)}:
            return TextContent(text=text)
        case {"type": "input_image", "image_url": str(url)}:
            return ImageContent(source=UrlImage(url=url))
        case _:
            kind = part.get("type")
            raise Invalid(
                f"A part of type {kind} cannot be sent; input_text can, and input_image by URL.",
                param="input",
            )


# The answer

Status: TypeAlias = Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]


class ResponseObject(TypedDict):
    id: str
    object: Literal["response"]
    created_at: int
    status: Status
    error: Json | None
    incomplete_details: Json | None
    instructions: None
    metadata: dict[str, str]
    model: str
    output: list[Json]
    parallel_tool_calls: bool
    previous_response_id: str | None
    conversation: Json | None
    store: bool
    background: bool
    temperature: None
    top_p: None
    text: Json
    tool_choice: Literal["auto"]
    tools: list[Json]
    truncation: Literal["disabled"]
    usage: Json | None


def response(head: Head, request: ResponseRequest) -> ResponseObject:
    """Return a response on which nothing has been said yet."""
    conversation = conversation_of(request)
    return {
        "id": f"resp_{head.run_id}",
        "object": "response",
        "created_at": head.created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": request.metadata or {},
        "model": head.model,
        "output": [],
        "parallel_tool_calls": False,
        "previous_response_id": request.previous_response_id,
        "conversation": None if conversation is None else {"id": conversation},
        "store": True,
        "background": False,
        "temperature": None,
        "top_p": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "truncation": "disabled",
        "usage": None,
    }


def closed(begun: ResponseObject, said: Sequence[Speech], close: Close) -> ResponseObject:
    """Return the response with all that was said, and how it ended."""
    ended: ResponseObject = {**begun, "usage": _usage(close.used), "status": _status(close)}
    ended["output"] = [_item(one) for one in said[:-1]]
    ended["output"] += [_item(one, status=_last_status(close)) for one in said[-1:]]
    if close.problem is not None:
        limited = close.problem.code == ModelRateLimited.code
        ended["error"] = {
            "code": "rate_limit_exceeded" if limited else "server_error",
            "message": close.problem.message,
            "type": close.problem.code,
        }
    elif close.cut:
        ended["incomplete_details"] = {"reason": "max_output_tokens"}
    return ended


def _item(speech: Speech, *, status: Status = "completed") -> Json:
    """Return what was said in one part as an item of the output; without text, as it opens."""
    return {
        "id": f"msg_{speech.part}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_text(speech.text)] if speech.text else [],
    }


def _text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _last_status(close: Close) -> Status:
    return "completed" if close.problem is None and not close.cut else "incomplete"


def _status(close: Close) -> Status:
    if close.problem is not None:
        return "cancelled" if close.reason == "cancelled" else "failed"
    return "incomplete" if close.cut else "completed"


def _usage(used: Used | None) -> Json | None:
    if used is None:
        return None
    tokens = used.usage
    return {
        "input_tokens": tokens.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": tokens.cached_input_tokens or 0,
            "cache_write_tokens": tokens.cache_write_tokens or 0,
        },
        "output_tokens": tokens.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens or 0},
        "total_tokens": tokens.total_tokens,
    }


class ResponseTeller:
    """The events of a streamed response: each part of what is said opens, grows and closes."""

    def __init__(self, begun: ResponseObject) -> None:
        self._begun = begun
        self._said: list[Speech] = []
        self._part: str | None = None
        self._texts: list[str] = []
        self._number = -1

    def opened(self) -> list[Json]:
        return [
            self._event("response.created", response=self._begun),
            self._event("response.in_progress", response=self._begun),
        ]

    def said(self, speech: Speech) -> list[Json]:
        made: list[Json] = []
        if speech.part != self._part:
            made += self._finished(status="completed")
            made += self._begin(speech.part)
        self._texts.append(speech.text)
        delta = self._of_part("response.output_text.delta", delta=speech.text, logprobs=[])
        return [*made, delta]

    def closed(self, close: Close) -> list[Json]:
        made = self._finished(status=_last_status(close))
        ended = closed(self._begun, self._said, close)
        name = "failed" if ended["status"] == "cancelled" else ended["status"]
        return [*made, self._event(f"response.{name}", response=ended)]

    def _begin(self, part: str) -> list[Json]:
        self._part = part
        opened = _item(Speech(part=part, text=""), status="in_progress")
        place = len(self._said)
        return [
            self._event("response.output_item.added", output_index=place, item=opened),
            self._of_part("response.content_part.added", part=_text("")),
        ]

    def _finished(self, *, status: Status) -> list[Json]:
        if self._part is None:
            return []
        text = "".join(self._texts)
        whole = Speech(part=self._part, text=text)
        done = _item(whole, status=status)
        made = [
            self._of_part("response.output_text.done", text=text, logprobs=[]),
            self._of_part("response.content_part.done", part=_text(text)),
            self._event("response.output_item.done", output_index=len(self._said), item=done),
        ]
        self._said.append(whole)
        self._part, self._texts = None, []
        return made

    def _of_part(self, kind: str, **fields: object) -> Json:
        place: Json = {
            "item_id": f"msg_{self._part}",
            "output_index": len(self._said),
            "content_index": 0,
        }
        return self._event(kind, **place, **fields)

    def _event(self, kind: str, **fields: object) -> Json:
        self._number += 1
        return {"type": kind, "sequence_number": self._number, **fields}
