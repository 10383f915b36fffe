"""A stream of the Letta V1 API, read into values that can be shown (streaming 2)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

Json: TypeAlias = dict[str, Any]
_DONE: Final = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A piece of text; pieces with one `otid` belong together."""

    kind: Literal["assistant", "reasoning", "summary"]
    otid: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A piece of a tool call; `asks` says that it waits for the user's approval."""

    call_id: str
    name: str
    arguments: str
    asks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    call_id: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    tokens: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    message: str
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where the reader is: the run, and the number of its last event seen."""

    run_id: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The terminator. A stream that ends without it was cut."""


Piece: TypeAlias = Said | Called | Returned | Stopped | Used | Failed | Placed | Ended


def pieces(parts: Iterable[bytes]) -> Iterator[Piece]:
    """Yield what the bytes of a stream hold, however they are cut; unknown events are skipped.

    A stream that a stopping server breaks off has no end: its run goes on, as after a crash.
    """
    for data in _events(parts):
        if data == _DONE:
            yield Ended()
            return
        chunk = cast("Json", json.loads(data))
        if chunk.get("error_type") == "stream_incomplete":
            return
        yield from pieces_of(chunk)
        run_id, seq = chunk.get("run_id"), chunk.get("seq_id")
        if run_id and seq is not None:
            yield Placed(run_id=run_id, seq=seq)


def _events(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event. A last event without its blank line was cut, and is dropped."""
    data: list[bytes] = []
    for line in _lines(parts):
        if not line:
            if data:
                yield b"\n".join(data)
            data = []
        elif line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines. Only the bytes CR and LF end one: text may hold any other separator."""
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")


def pieces_of(chunk: Json) -> Iterator[Piece]:
    """Yield what one message of the API holds."""
    match chunk.get("message_type"):
        case "assistant_message":
            yield Said(kind="assistant", otid=_otid(chunk), text=_text(chunk.get("content")))
        case "reasoning_message":
            yield Said(kind="reasoning", otid=_otid(chunk), text=chunk.get("reasoning") or "")
        case "summary_message":
            yield Said(kind="summary", otid=_otid(chunk), text=chunk.get("summary") or "")
        case "tool_call_message":
            yield from _calls(chunk, asks=False)
        case "approval_request_message":
            yield from _calls(chunk, asks=True)
        case "tool_return_message":
            yield from _returns(chunk)
        case "stop_reason":
            yield Stopped(reason=chunk["stop_reason"])
        case "usage_statistics":
            yield Used(tokens=chunk.get("total_tokens") or 0, steps=chunk.get("step_count") or 0)
        case "error_message":
            yield Failed(message=chunk.get("message") or "", detail=chunk.get("detail"))
        case _:
            return


def _calls(chunk: Json, *, asks: bool) -> Iterator[Called]:
    """Yield the calls of a chunk, which holds several, one, or a piece of one (2.9)."""
    given = cast("list[Json] | Json", chunk.get("tool_calls") or chunk.get("tool_call") or [])
    for call in given if isinstance(given, list) else [given]:
        yield Called(
            call_id=call.get("tool_call_id") or "",
            name=call.get("name") or "",
            arguments=call.get("arguments") or "",
            asks=asks,
        )


def _returns(chunk: Json) -> Iterator[Returned]:
    for entry in cast("list[Json]", chunk.get("tool_returns") or [chunk]):
        yield Returned(
            call_id=entry.get("tool_call_id") or "",
            ok=entry.get("status") != "error",
            text=_text(entry.get("tool_return")),
        )


def _text(content: object) -> str:
    if isinstance(content, list):
        parts = cast("list[Json]", content)
        return "".join(part.get("text") or f"[{part.get('type')}]" for part in parts)
    return content if isinstance(content, str) else ""


def _otid(chunk: Json) -> str:
    return chunk.get("otid") or chunk.get("id") or ""
