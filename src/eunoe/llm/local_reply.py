"""The reply of a model that was held to a schema, read while it is written.

What comes in is the text of one JSON object, cut anywhere; what goes out are
the events of a model that speaks and calls tools by itself.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from eunoe.domain.events import CallDelta, ModelEvent, TextDelta
from eunoe.errors import ModelReplyInvalid
from eunoe.llm.local_tools import ARGUMENTS, BECAUSE, REPLY, TOOL

_Stage: TypeAlias = Literal["decision", "text", "value", "end"]

_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_REASON: Final = rf'(?:"{BECAUSE}"\s*:\s*{_STRING}\s*,\s*)?'
_TEXT: Final = re.compile(rf'\s*\{{\s*{_REASON}"{REPLY}"\s*:\s*(?P<first>\S)', re.DOTALL)
_CALL: Final = re.compile(
    rf'\s*\{{\s*{_REASON}"{TOOL}"\s*:\s*(?P<name>{_STRING})\s*,\s*"{ARGUMENTS}"\s*:\s*(?=\S)',
    re.DOTALL,
)
_UNITS: Final = re.compile(r'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*', re.DOTALL)
_HALF_PAIR: Final = re.compile(r"(?<!\\)(?:\\\\)*(?P<half>\\u[dD][89abAB][0-9a-fA-F]{2})\Z")
_AFTER_BARE: Final = frozenset(",]} \t\r\n")
"""What ends a number or a literal such as `true`, which does not end itself."""
_MOST_DECISION_CHARS: Final = 2_000


class ReplyReader:
    """Turns text fragments into events. `called` once a tool was named, `whole` at the end."""

    def __init__(self, *, call_id: str) -> None:
        self._call_id = call_id
        self._stage: _Stage = "decision"
        self._held = ""
        self._value = _Value()
        self.called = False

    @property
    def whole(self) -> bool:
        """Whether the text or the arguments have been read to their end."""
        return self._stage == "end"

    def feed(self, fragment: str) -> Iterator[ModelEvent]:
        """Yield what `fragment` says. Raises `ModelReplyInvalid` where it is not of the schema."""
        self._held += fragment
        if self._stage == "decision":
            yield from self._decided()
        if self._stage == "text":
            text = self._text()
            if text:
                yield TextDelta(text=text)
        elif self._stage == "value":
            taken, self._held = self._value.taken(self._held)
            if self._value.ended:
                self._stage = "end"
            if taken:
                yield CallDelta(index=0, arguments=taken) if self.called else TextDelta(text=taken)

    def _decided(self) -> Iterator[ModelEvent]:
        call = _CALL.match(self._held)
        text = _TEXT.match(self._held)
        if call is not None:
            self._held = self._held[call.end() :]
            self._stage, self.called = "value", True
            yield CallDelta(index=0, id=self._call_id, name=json.loads(call["name"]))
        elif text is not None:
            is_string = text["first"] == '"'
            self._held = self._held[text.end() - (not is_string) :]
            self._stage = "text" if is_string else "value"
        elif not self._held.lstrip().startswith("{") and self._held.strip():
            raise ModelReplyInvalid("The local model did not write the JSON it was held to.")
        elif len(self._held) > _MOST_DECISION_CHARS:
            raise ModelReplyInvalid("The local model neither answers nor calls a tool.")

    def _text(self) -> str:
        """Return the characters of a JSON string that are complete, and keep the rest."""
        units = _UNITS.match(self._held)
        end = units.end() if units is not None else 0
        if self._held[end : end + 1] == '"':
            self._stage = "end"
            raw, self._held = self._held[:end], self._held[end + 1 :]
        else:
            pair = _HALF_PAIR.search(self._held, 0, end)
            end = pair.start("half") if pair is not None else end
            raw, self._held = self._held[:end], self._held[end:]
        text: str = json.loads(f'"{raw}"', strict=False)
        # Half of a pair of escapes alone is no character.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Value:
    """Follows one JSON value to its end, without reading what it means."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._is_bare = False
        self.ended = False

    def taken(self, text: str) -> tuple[str, str]:
        """Return the part of `text` that belongs to the value, and what follows it."""
        for at, character in enumerate(text):
            if self._is_bare:
                if character in _AFTER_BARE:
                    self.ended = True
                    return text[:at], text[at:]
                continue
            if self._in_string:
                self._inside(character)
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
            elif self._depth == 0:
                self._is_bare = True
                continue
            if self._depth == 0 and not self._in_string:
                self.ended = True
                return text[: at + 1], text[at + 1 :]
        return text, ""

    def _inside(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False
