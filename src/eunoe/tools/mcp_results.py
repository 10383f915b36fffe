"""What an MCP server gave, as the result of a call (X54).

Everything is taken for text until it is known to be more; pictures stay pictures, within bounds.
"""

from collections.abc import Mapping
from typing import Final, cast

from eunoe.domain.messages import Image, Json, Text
from eunoe.domain.pictures import MARKS
from eunoe.domain.tools import ToolResult
from eunoe.domain.wellformed import list_of, object_of
from eunoe.tools.pictures import picture

EMPTY: Final = "Empty response from tool"
_MOST_IMAGES: Final = 8


def result_of(given: Mapping[str, object]) -> ToolResult:
    """Return the result that the answer to a call holds, however odd its parts are.

    Texts are joined by a space. Structured content is what counts where there is no text,
    for a server that gives both gives the same twice.
    """
    texts: list[str] = []
    images: list[Image] = []
    for item in list_of(given.get("content")):
        part = _part(cast("Json", item) if isinstance(item, dict) else {"text": str(item)})
        if isinstance(part, Image) and len(images) < _MOST_IMAGES:
            images.append(part)
        else:
            texts.append(part if isinstance(part, str) else "[one more image, left out]")
    ok = given.get("isError") is not True
    structured = given.get("structuredContent")
    if not texts and not images and isinstance(structured, dict):
        return ToolResult(ok=ok, output=cast("Json", structured))
    if not texts and not images and structured is not None:
        texts = [str(structured)]
    text = " ".join(texts)
    if not images:
        return ToolResult(ok=ok, output=text or EMPTY)
    told = (Text(text=text),) if text else ()
    return ToolResult(ok=ok, output=text or "[image]", parts=(*told, *images))


def _part(item: Json) -> str | Image:
    match item.get("type"):
        case "image":
            return picture(item.get("data"), item.get("mimeType"))
        case "audio":
            return f"[audio of type {item.get('mimeType')}, which cannot be heard here]"
        case "resource":
            return _resource(object_of(item.get("resource")))
        case "resource_link":
            return " ".join(
                str(item[name]) for name in ("name", "uri", "description") if item.get(name)
            )
        case _:
            text = item.get("text")
            return text if isinstance(text, str) else str(item)


def _resource(resource: Json) -> str | Image:
    text = resource.get("text")
    if isinstance(text, str):
        return text
    kind = str(resource.get("mimeType"))
    if kind in MARKS:
        return picture(resource.get("blob"), kind)
    return f"[resource {resource.get('uri')} of type {kind}, which is no text]"
