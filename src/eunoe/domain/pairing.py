"""Calls and their returns: each call answered once, right after it, under an id that is its own."""

import json
import re
from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Final, cast

from eunoe.domain.heartbeats import as_written
from eunoe.domain.messages import Json, Message, ToolCall, ToolReturn, words_of
from eunoe.domain.times import stamp
from eunoe.domain.wellformed import well_formed, well_formed_json

CALL_ID_LENGTH: Final = 29
MALFORMED_KEY: Final = "_malformed_tool_arguments"
UNKNOWN_OUTCOME: Final = (
    "The outcome of this call is unknown: it was interrupted before a result was recorded. "
    "Check whether it took effect before calling again."
)
_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9_-]")


class Pairing:
    """Finds the return of each call, and gives each call an id that no other one has (P7, P8).

    Of calls of one reply and of returns that share an id, the first stays. An id that
    comes again in a later reply is another call, since some providers number the calls
    of each reply from nought, and gets an id of its own. It remembers the ids it gave,
    so messages must be paired in order; `taken` are the ids that are gone already.
    """

    def __init__(self, messages: Sequence[Message], *, limit: int, taken: Container[str]) -> None:
        self._limit = limit
        self._taken = taken
        self._given: set[str] = set()
        self._returns = _returns_by_call(messages)

    def paired(self, message: Message) -> tuple[tuple[ToolCall, ...], Message | None]:
        """Return the calls of `message` as they are sent, and the tool message that follows."""
        calls: list[ToolCall] = []
        returns: list[ToolReturn] = []
        holder: Message | None = None
        here: set[str] = set()
        for call in message.calls:
            found = self._returns.get((message.id, call.id))
            if call.id in here:
                continue
            here.add(call.id)
            source, result = found or (None, _unknown(message))
            holder = holder or source
            sent = replace(call, id=self._fresh(call.id), name=well_formed(call.name))
            arguments = _arguments(call.arguments)
            if call.heartbeat is None:
                sent = replace(sent, arguments=arguments)
            else:
                sent = as_written(sent, arguments)
            calls.append(sent)
            result = replace(result, call_id=sent.id, name=sent.name)
            returns.append(self._fitting(result, source=source or message))
        if not calls:
            return (), None
        answer = replace(
            holder or message, role="tool", content=(), calls=(), returns=tuple(returns)
        )
        return tuple(calls), answer

    def _fresh(self, call_id: str) -> str:
        base = _NOT_IN_ID.sub("", call_id)[:CALL_ID_LENGTH] or "call"
        fresh, number = base, 1
        while fresh in self._taken or fresh in self._given:
            number += 1
            suffix = f"-{number}"
            fresh = base[: CALL_ID_LENGTH - len(suffix)] + suffix
        self._given.add(fresh)
        return fresh

    def _fitting(self, result: ToolReturn, *, source: Message) -> ToolReturn:
        """Return `result` with at most the limit of characters, and where the rest is (L32)."""
        output = cast("str | Json", well_formed_json(result.output))
        text = words_of(output)
        left_out = len(text) - self._limit
        if left_out > 0:
            output = (
                f"{text[: self._limit]}... [cut to fit: {left_out} characters of {len(text)} are "
                f"left out. The whole is stored as {source.id}; conversation_search finds it by "
                "words from its beginning]"
            )
        return result if output == result.output else replace(result, output=output)


def _returns_by_call(
    messages: Sequence[Message],
) -> dict[tuple[str, str], tuple[Message, ToolReturn]]:
    """Map each call, by its message's id and its own, to the first return that came for it.

    A return belongs to the latest message before it that made a call of that id.
    """
    callers: dict[str, str] = {}
    found: dict[tuple[str, str], tuple[Message, ToolReturn]] = {}
    for message in messages:
        callers.update({call.id: message.id for call in message.calls})
        for result in message.returns:
            caller = callers.get(result.call_id)
            if caller is not None:
                found.setdefault((caller, result.call_id), (message, result))
    return found


def unpaired(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with a call that no return in these messages came for."""
    found = _returns_by_call(messages)
    return [one for one in messages if any((one.id, call.id) not in found for call in one.calls)]


def unknown_returns(message: Message, messages: Sequence[Message]) -> tuple[ToolReturn, ...]:
    """Return what stands for the results of the message's calls that never came."""
    found = _returns_by_call(messages)
    lost = {call.id: call for call in message.calls if (message.id, call.id) not in found}
    return tuple(
        replace(_unknown(message), call_id=call.id, name=call.name) for call in lost.values()
    )


def _unknown(message: Message) -> ToolReturn:
    """Return what stands for a result that was never recorded; the time is the call's."""
    at = stamp(message.created_at, timezone="UTC")
    return ToolReturn(call_id="", name="", ok=False, output=UNKNOWN_OUTCOME, time=at)


def _arguments(raw: str) -> str:
    """Return arguments that are the text of a JSON object; others go in one, as text (P9)."""
    if not raw.strip():
        return "{}"
    try:
        parsed: object = json.loads(raw, parse_constant=_refuse)
        is_object = isinstance(parsed, dict)
        clean = well_formed_json(parsed)
    except (ValueError, RecursionError):
        is_object, parsed, clean = False, None, None
    if not is_object:
        return json.dumps({MALFORMED_KEY: well_formed(raw)}, ensure_ascii=False)
    if clean != parsed:
        return json.dumps(clean, ensure_ascii=False)
    return well_formed(raw)


def _refuse(constant: str) -> object:
    """Raise for NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(constant)
