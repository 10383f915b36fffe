"""What tests read out of streams and answers, in a form that can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

Part = tuple[str, str | None, str]


@dataclass(slots=True, kw_only=True)
class Heard:
    """A stream as its reader has it at the end: each part put together from its fragments."""

    kinds: list[str] = field(default_factory=list[str])
    parts: dict[str, Part] = field(default_factory=dict[str, Part])
    run_id: str | None = None
    reasons: list[str] = field(default_factory=list[str])
    usage: Any = None


def heard(events: Iterable[Any]) -> Heard:
    """Read a stream of the official client to its end."""
    got = Heard()
    for event in events:
        kind: str = event.message_type
        if not got.kinds or got.kinds[-1] != kind:
            got.kinds.append(kind)
        match kind:
            case "ping":
                got.run_id = event.run_id
            case "stop_reason":
                got.reasons.append(event.stop_reason)
            case "usage_statistics":
                got.usage = event
            case _:
                _add(got.parts, event)
    return got


def _add(parts: dict[str, Part], event: Any) -> None:
    kind, text = event.message_type, content_of(event)
    known = parts.get(event.otid)
    parts[event.otid] = (kind, event.id, text if known is None else known[2] + text)


def content_of(part: Any) -> str:
    """Return what a part of a message says, of whatever kind it is."""
    match part.message_type:
        case "assistant_message" | "user_message" | "system_message":
            return part.content
        case "reasoning_message":
            return part.reasoning
        case "tool_call_message" | "approval_request_message":
            return part.tool_call.arguments or ""
        case "tool_return_message":
            return part.tool_return
        case other:
            raise AssertionError(other)


def parts_of(listed: Iterable[Any]) -> dict[str, Part]:
    """Return listed parts as `heard` has those of a stream, input left out."""
    return {
        part.otid: (part.message_type, part.id, content_of(part))
        for part in listed
        if part.message_type not in {"system_message", "user_message"}
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of an event stream; `data` is JSON, or the text where it is none."""

    event: str | None
    data: Any


def frames(text: str) -> list[Frame]:
    """Return the frames of an event stream, comments left out; each must be whole."""
    assert text.endswith("\n\n")
    found: list[Frame] = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        if block.startswith(":"):
            continue
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        data = lines.pop("data")
        found.append(
            Frame(
                event=lines.pop("event", None),
                data=orjson.loads(data) if data.startswith("{") else data,
            )
        )
        assert not lines
    return found


def assert_whole(stream: list[Frame]) -> None:
    """Check the discipline of a stream's end: one reason, usage, at most one error, then the end."""
    assert stream[-1].data == "[DONE]"
    kinds = [frame.data["message_type"] for frame in stream[:-1]]
    assert kinds.count("stop_reason") == kinds.count("usage_statistics") == 1
    end = kinds[kinds.index("stop_reason") :]
    assert end in (
        ["stop_reason", "usage_statistics"],
        ["stop_reason", "usage_statistics", "error_message"],
    )
    for frame, kind in zip(stream, kinds, strict=False):
        assert (frame.event == "error") == (kind == "error_message")


def error_type_of(answer: httpx.Response) -> str:
    """Return the type of the failure that an answer tells of, blocking or streamed."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        (error,) = [one.data for one in frames(answer.text) if one.event == "error"]
        return error["error_type"]
    return answer.json()["error"]["type"]
