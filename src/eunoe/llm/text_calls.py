"""Calls that a model wrote as text, taken out of its reply while it streams.

Small and self-hosted models often answer in the form they were trained on, and their server
passes it on as text. What is certainly text is passed on at once; from what may be the beginning
of a call on, text is held back until it cannot be one, or until the reply ended properly. A
reply that was cut, or that calls tools in the structured way, is text as it stands (G-15).
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

import orjson

from eunoe.domain.events import CallDelta, Finished, ModelEvent, TextDelta
from eunoe.domain.tools import ToolSchema
from eunoe.llm.call_styles import STYLES, Calls, after_trailers, marked, unmarked

_Stage: TypeAlias = Literal["start", "thought", "open", "sure", "off"]

MAX_HELD_CHARS: Final = 65_536
"""More than this is no call: the text is passed on."""

MAX_SIGNS: Final = 128
"""After so many markers in one reply the rest is text, so that no reply is read for seconds."""

_THINK: Final = "<think>"
_THOUGHT: Final = "</think>"
_SIGNS: Final = (*STYLES, _THOUGHT)
_SIGN: Final = re.compile("|".join(re.escape(one) for one in _SIGNS))
_LONGEST_SIGN: Final = max(map(len, _SIGNS))
_ALWAYS_LOOK_CHARS: Final = 2_048
_LOOK_AGAIN: Final = 17 / 16
"""A long hold is looked at when it has grown by this much: once a fragment would be too often."""
_FENCE: Final = "```"
_QUOTES: Final = frozenset("\"'`\u201c\u2018\u00ab(")


class TextCalls:
    """Reads the events of one reply. `flush` gives what is held when the reply broke off."""

    def __init__(self, tools: Sequence[ToolSchema]) -> None:
        self._tools = {tool.name: tool.parameters for tool in tools}
        self._stage: _Stage = "start"
        self._held = ""
        self._waiting: list[str] = []
        self._waiting_chars = 0
        self._look_at = 0
        self._bare = True
        self._said = _Said()
        self._calls = 0
        self._signs = 0

    def read(self, events: Sequence[ModelEvent]) -> Sequence[ModelEvent]:
        """Return what `events` say, as far as it is certain."""
        if self._stage == "off":
            return events
        said: list[ModelEvent] = []
        for event in events:
            if isinstance(event, TextDelta) and self._is_plain(event.text):
                self._said.add(event.text)
                said.append(event)
            else:
                said += self._read(event)
        return said

    def _is_plain(self, text: str) -> bool:
        """Whether a fragment is surely text. Nearly every one of a long reply is."""
        return (
            self._stage == "open"
            and not self._held
            and not self._waiting
            and not self._bare
            and "<" not in text
            and "[" not in text
        )

    def _read(self, event: ModelEvent) -> Iterator[ModelEvent]:
        match event:
            case TextDelta(text=text) if self._stage != "off":
                yield from self._fed(text)
            case CallDelta():
                yield from self.flush()
                self._stage = "off"
                yield event
            case Finished(reason="stop" | "tool_calls") if self._stage != "off":
                yield from self._ended()
                yield Finished(reason="tool_calls") if self._calls else event
            case Finished():
                yield from self.flush()
                yield event
            case _:
                yield event

    def flush(self) -> Iterator[ModelEvent]:
        """Yield what is held back, as the text that it is."""
        self._collect()
        if self._held:
            yield TextDelta(text=self._held)
            self._held = ""

    def _fed(self, text: str) -> Iterator[ModelEvent]:
        self._waiting.append(text)
        self._waiting_chars += len(text)
        if self._stage == "sure" or len(self._held) + self._waiting_chars < self._look_at:
            return
        self._collect()
        yield from self._advanced(final=False)
        length = len(self._held)
        self._look_at = int(length * _LOOK_AGAIN) if length > _ALWAYS_LOOK_CHARS else 0

    def _collect(self) -> None:
        self._held += "".join(self._waiting)
        self._waiting.clear()
        self._waiting_chars = 0

    def _ended(self) -> Iterator[ModelEvent]:
        self._collect()
        if self._stage == "sure":
            self._stage = "open"
            thought = self._held.rfind(_THOUGHT)
            if thought >= 0:
                # What looked like a call was a thought, whose beginning the server swallowed.
                yield self._thought(thought + len(_THOUGHT))
        yield from self._advanced(final=True)

    def _advanced(self, *, final: bool) -> Iterator[ModelEvent]:
        while self._held and (events := self._step(final=final)) is not None:
            yield from events

    def _step(self, *, final: bool) -> Sequence[ModelEvent] | None:
        """Return what can be said now, and null where more of the text is needed."""
        match self._stage:
            case "start":
                return self._opening(final=final)
            case "thought":
                return self._thinking(final=final)
            case "open":
                return self._looking(final=final)
            case "sure" | "off":
                return None

    def _opening(self, *, final: bool) -> Sequence[ModelEvent] | None:
        """At the beginning of the reply, or of what follows its thoughts."""
        begun = self._held.lstrip()
        if begun.startswith(_THINK):
            self._stage = "thought"
            return []
        verdict = unmarked(self._held[:MAX_HELD_CHARS], self._tools, final=final)
        if isinstance(verdict, Calls) and final:
            return self._called(verdict)
        is_open = verdict is None or _THINK.startswith(begun)
        if is_open and not final and len(self._held) < MAX_HELD_CHARS:
            return None
        self._stage = "open"
        return []

    def _thinking(self, *, final: bool) -> Sequence[ModelEvent] | None:
        end = self._held.find(_THOUGHT)
        if end >= 0:
            return [self._thought(end + len(_THOUGHT))]
        return self._passed_on(final=final)

    def _looking(self, *, final: bool) -> Sequence[ModelEvent] | None:
        """Among ordinary text, where a marker may come at any moment."""
        if self._signs >= MAX_SIGNS:
            return [self._released(len(self._held))]
        sign = _SIGN.search(self._held)
        if sign is None:
            return self._passed_on(final=final)
        if sign[0] == _THOUGHT:
            return [self._thought(sign.end())]
        if sign.start() and not (self._bare and not self._held[: sign.start()].strip()):
            return [self._released(sign.start())]
        if self._said.is_quoting:
            return [self._released(sign.end())]
        return self._judged(sign, final=final)

    def _judged(self, sign: re.Match[str], *, final: bool) -> Sequence[ModelEvent] | None:
        most = sign.start() + MAX_HELD_CHARS
        verdict = marked(self._held[:most], sign.start(), sign[0], self._tools, final=final)
        if isinstance(verdict, Calls) and not final:
            self._stage = "sure"
            return None
        if verdict is None and not final and len(self._held) < most:
            return None
        self._signs += 1
        if isinstance(verdict, Calls):
            return self._called(verdict)
        return [self._released(sign.end())]

    def _passed_on(self, *, final: bool) -> Sequence[ModelEvent] | None:
        """Release all but what may be the beginning of a sign."""
        end = len(self._held)
        if final and self._bare and self._calls and not self._held.strip():
            self._held = ""
            return None
        if not final:
            for at in range(max(0, end - _LONGEST_SIGN), end):
                rest = self._held[at:]
                if rest[0] in "<[" and any(one.startswith(rest) for one in _SIGNS):
                    end = at
                    break
        held_blank = not final and self._bare and not self._held[:end].strip()
        return [self._released(end)] if end and not held_blank else None

    def _thought(self, end: int) -> ModelEvent:
        """Release a thought to its end; the reply itself begins after it."""
        event = self._released(end)
        self._stage, self._bare, self._said = "start", True, _Said()
        return event

    def _released(self, end: int) -> ModelEvent:
        text, self._held = self._held[:end], self._held[end:]
        self._said.add(text)
        self._bare = False
        return TextDelta(text=text)

    def _called(self, verdict: Calls) -> Sequence[ModelEvent]:
        self._held = self._held[after_trailers(self._held, verdict.end) :]
        self._stage = "open"
        self._bare = True
        first = self._calls
        self._calls += len(verdict.calls)
        return [
            CallDelta(
                index=index,
                id=f"call_{secrets.token_hex(12)}",
                name=call.name,
                arguments=orjson.dumps(call.arguments).decode(),
            )
            for index, call in enumerate(verdict.calls, first)
        ]


class _Said:
    """What the text so far makes of a marker that comes now: part of the reply, or a quotation."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._line = ""
        self._fenced = False

    def add(self, text: str) -> None:
        self._pieces.append(text)

    @property
    def is_quoting(self) -> bool:
        *lines, self._line = (self._line + "".join(self._pieces)).split("\n")
        self._pieces.clear()
        for line in lines:
            self._fenced ^= line.lstrip().startswith(_FENCE)
        opens = self._line.lstrip().startswith(_FENCE)
        ticks = self._line.count("`") % 2 == 1
        return self._fenced or opens or ticks or self._line[-1:] in _QUOTES
