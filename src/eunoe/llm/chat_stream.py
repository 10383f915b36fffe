"""A chat completions reply, streamed or whole, as model events."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import orjson

from eunoe.domain.events import (
    CallDelta,
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    ReasoningHidden,
    TextDelta,
    TokensTold,
    UsageReported,
)
from eunoe.domain.messages import Json
from eunoe.domain.runs import Usage
from eunoe.domain.tokens import Tokens
from eunoe.errors import ModelError, ModelReplyCut, ModelReplyEmpty, ModelReplyInvalid
from eunoe.llm.faults import Origin, in_stream

MAX_LINE_BYTES: Final = 16 * 1024 * 1024

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}


@dataclass(slots=True)
class EventLines:
    """Cuts the bytes of an event stream into the payloads of its `data:` lines.

    A provider puts one JSON value on one line, so that events need no joining.
    `ended` once the terminator was read; what follows it is not looked at.
    """

    ended: bool = False
    _rest: bytes = b""

    def feed(self, block: bytes) -> list[bytes]:
        """Return the payloads that `block` completes. Raises on a line without an end."""
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_LINE_BYTES:
            raise ModelReplyInvalid("The model provider sent a line of more than 16 MiB.")
        payloads: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                payload = line[5:].strip()
                if payload == b"[DONE]":
                    self.ended = True
                    break
                payloads.append(payload)
        return payloads


@dataclass(slots=True)
class _Call:
    """A call whose fragments are still coming; `held` waits for the id and the name."""

    index: int
    id: str = ""
    name: str = ""
    held: str = ""
    shown: bool = False


@dataclass(slots=True, kw_only=True)
class Reply:
    """What has come of one reply so far.

    `accept_all` takes chunks as they came; `close` ends it. `hides`: the model reasons and tells
    nothing of it, which is said first, unless it does tell (streaming 2.8).
    """

    origin: Origin
    hides: bool = False
    _finish: str | None = None
    _usage: Usage | None = None
    _spoken: bool = False
    _calls: list[_Call] = field(default_factory=list[_Call])
    _at: dict[int, _Call] = field(default_factory=dict[int, _Call])

    @property
    def is_finished(self) -> bool:
        return self._finish is not None

    def accept_all(self, payloads: Sequence[bytes], *, into: list[ModelEvent]) -> ModelError | None:
        """Add what the chunks say; return the error that one of them is or reports.

        Returned, not raised, because what was said before it is to be shown first.
        """
        try:
            for payload in payloads:
                into += self.accept_chunk(orjson.loads(payload))
        except orjson.JSONDecodeError as error:
            return ModelReplyInvalid(f"{self.origin.name} sent a chunk that is not JSON: {error}")
        except ModelError as error:
            return error
        return None

    def accept_chunk(self, chunk: object) -> Sequence[ModelEvent]:
        """Return what a chunk says. Raises the error that it reports, or that it is."""
        if not isinstance(chunk, dict):
            raise ModelReplyInvalid(f"{self.origin.name} sent a chunk that is not an object.")
        parts = cast("Json", chunk)
        if parts.get("error"):
            raise in_stream(parts["error"], origin=self.origin)
        usage, choices = parts.get("usage"), parts.get("choices")
        try:
            if usage:
                self._usage = usage_of(usage)
            return self._choice(choices[0]) if choices else []
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelReplyInvalid(
                f"{self.origin.name} sent a chunk of an unknown shape: {error!r}"
            ) from error

    def _choice(self, choice: Json) -> Sequence[ModelEvent]:
        said = self._said(choice)
        if not self.hides or not said:
            return said
        self.hides = False
        if isinstance(said[0], ReasoningDelta):
            return said
        return [ReasoningHidden(state="omitted"), *said]

    def _said(self, choice: Json) -> Sequence[ModelEvent]:
        delta: Json = choice.get("delta") or choice.get("message") or {}
        if len(delta) == 1 and not choice.get("finish_reason"):
            # Nearly every chunk of a long reply is this one.
            text = delta.get("content")
            if text and isinstance(text, str):
                self._spoken = True
                return (TextDelta(text=text),)
        events: list[ModelEvent] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        signature = delta.get("reasoning_content_signature") or delta.get("reasoning_signature")
        if thought or signature:
            self._spoken = self._spoken or bool((thought or "").strip())
            events.append(ReasoningDelta(text=thought or "", signature=signature))
        content = delta.get("content") or delta.get("refusal")
        if content:
            events.extend(self._content(content))
        for index, part in enumerate(delta.get("tool_calls") or ()):
            shown = self._call(part, index)
            if shown is not None:
                events.append(shown)
        if choice.get("finish_reason"):
            self._finish = choice["finish_reason"]
            if self._finish == "error":
                raise in_stream(choice.get("error") or "the reply failed", origin=self.origin)
        return events

    def _content(self, content: str | list[Json]) -> Iterator[ModelEvent]:
        """Read content that is a text, or a list of typed parts, as Mistral writes it."""
        if isinstance(content, str):
            self._spoken = True
            yield TextDelta(text=content)
            return
        for part in content:
            if part.get("type") == "thinking":
                inner: list[Json] = part.get("thinking") or []
                thought = "".join(piece.get("text", "") for piece in inner)
                self._spoken = self._spoken or bool(thought.strip())
                yield ReasoningDelta(text=thought)
            elif part.get("text"):
                self._spoken = True
                yield TextDelta(text=part["text"])

    def _call(self, part: Json, place: int) -> CallDelta | None:
        call = self._called(part, place)
        function: Json = part.get("function") or {}
        fragment = function.get("arguments") or ""
        if not isinstance(fragment, str):
            fragment = orjson.dumps(fragment).decode()
        call.id = call.id or part.get("id") or ""
        call.name = call.name or function.get("name") or ""
        if call.shown:
            return CallDelta(index=call.index, arguments=fragment) if fragment else None
        call.held += fragment
        if not call.id or not call.name:
            return None
        return _opening(call)

    def _called(self, part: Json, place: int) -> _Call:
        """Return the call that a fragment belongs to.

        Some servers number every call 0 or none at all; a new id with a name is a new call.
        """
        index = part.get("index")
        key = place if index is None else int(index)
        known = self._at.get(key)
        function: Json = part.get("function") or {}
        name = function.get("name")
        new_id = part.get("id")
        if known is None or (name and known.name and new_id and known.id and new_id != known.id):
            known = _Call(index=len(self._calls))
            self._calls.append(known)
            self._at[key] = known
        return known

    def close(self) -> list[ModelEvent]:
        """Return the end of the reply. Raises where the provider did not say that it is whole."""
        if self._finish is None:
            raise ModelReplyCut(
                f"The reply of {self.origin.name} ended without a finish reason.",
                provider=self.origin.name,
            )
        events: list[ModelEvent] = []
        for call in self._calls:
            if not call.name:
                raise ModelReplyInvalid(f"{self.origin.name} sent a tool call without a name.")
            if not call.shown:
                call.id = call.id or f"call_{secrets.token_hex(12)}"
                events.append(_opening(call))
        if self._usage is not None:
            events.append(UsageReported(usage=self._usage))
        return [*events, Finished(reason=self._reason())]

    def _reason(self) -> FinishReason:
        known = _REASONS.get(str(self._finish).lower())
        if known is None:
            raise ModelReplyInvalid(
                f"{self.origin.name} ended its reply for an unknown reason: {self._finish}."
            )
        if self._calls and known == "stop":
            return "tool_calls"
        if not self._calls and not self._spoken and known in {"stop", "tool_calls"}:
            raise ModelReplyEmpty(provider=self.origin.name)
        return known


def _opening(call: _Call) -> CallDelta:
    call.shown = True
    return CallDelta(index=call.index, id=call.id, name=call.name, arguments=call.held)


def usage_of(usage: Json) -> Usage:
    """Return the token counts; what the provider did not report stays null."""
    prompt = int(usage.get("prompt_tokens") or 0)
    completion = int(usage.get("completion_tokens") or 0)
    prompted: Json = usage.get("prompt_tokens_details") or {}
    completed: Json = usage.get("completion_tokens_details") or {}
    cached = prompted.get("cached_tokens")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=int(usage.get("total_tokens") or prompt + completion),
        cached_input_tokens=usage.get("prompt_cache_hit_tokens") if cached is None else cached,
        cache_write_tokens=prompted.get("cache_write_tokens"),
        reasoning_tokens=completed.get("reasoning_tokens"),
    )


def whole(body: bytes, *, reply: Reply) -> list[ModelEvent]:
    """Return the events of a reply that came as one JSON body."""
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ModelReplyCut(
            f"{reply.origin.name} sent a reply that is not whole JSON: {error}"
        ) from error
    if not isinstance(parsed, dict):
        raise ModelReplyInvalid(f"{reply.origin.name} sent a reply that is not an object.")
    found = cast("Json", parsed)
    if not found.get("choices") and not found.get("error"):
        raise ModelReplyInvalid(f"{reply.origin.name} sent a reply without choices.")
    choices: list[Json] = found.get("choices") or [{}]
    events = list(reply.accept_chunk(found))
    return [*events, *_tokens(choices[0]), *reply.close()]


def _tokens(choice: Json) -> list[ModelEvent]:
    """Return what a whole reply tells of its tokens."""
    given: Json = choice.get("logprobs") or {}
    rows: list[Json] = given.get("content") or []
    ids: list[int] | None = choice.get("token_ids")
    if not rows and ids is None:
        return []
    likely: Json = {"content": [_token(one) for one in rows], "refusal": given.get("refusal")}
    known = None if ids is None else tuple(ids)
    return [TokensTold(tokens=Tokens(logprobs=likely if rows else None, ids=known))]


def _token(row: Json) -> Json:
    top: Sequence[Json] = row.get("top_logprobs") or ()
    return {**_likely(row), "top_logprobs": [_likely(one) for one in top]}


def _likely(row: Json) -> Json:
    return {"token": row.get("token"), "logprob": row.get("logprob"), "bytes": row.get("bytes")}
