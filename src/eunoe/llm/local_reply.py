"""The reply of a model that was held to a schema, read while it is written.

What comes in is the text of one JSON object, cut anywhere; what goes out are
the events of a model that speaks and calls tools by itself.
"""

from collections.abc import Iterator
from typing import Final

from eunoe.domain.events import CallDelta, ModelEvent, TextDelta
from eunoe.domain.sieve import Sieve
from eunoe.errors import ModelReplyInvalid
from eunoe.llm.local_tools import ARGUMENTS, REPLY, TOOL

_MOST_DECISION_CHARS: Final = 2_000


class ReplyReader:
    """Turns text fragments into events. `called` once a tool was named, `whole` at the end."""

    def __init__(self, *, call_id: str) -> None:
        self._call_id = call_id
        self._sieve = Sieve(watched={REPLY, TOOL, ARGUMENTS})
        self._chars = 0
        self._name = ""
        self._decided = False
        self.called = False

    @property
    def whole(self) -> bool:
        """Whether the text or the arguments have been read to their end."""
        return (ARGUMENTS if self.called else REPLY) in self._sieve.closed

    def feed(self, fragment: str) -> Iterator[ModelEvent]:
        """Yield what `fragment` says. Raises `ModelReplyInvalid` where it is not of the schema."""
        for piece in self._sieve.feed(fragment):
            if piece.key == REPLY:
                self._decided = True
                yield TextDelta(text=piece.text)
            elif piece.key == TOOL:
                self._name += piece.text
            elif piece.key == ARGUMENTS:
                if not self.called:
                    self._decided = self.called = True
                    yield CallDelta(index=0, id=self._call_id, name=self._name)
                yield CallDelta(index=0, arguments=piece.text)
        self._chars += len(fragment)
        if self._decided or self.whole:
            return
        if self._sieve.broken:
            raise ModelReplyInvalid("The local model did not write the JSON it was held to.")
        if self._chars > _MOST_DECISION_CHARS:
            raise ModelReplyInvalid("The local model neither answers nor calls a tool.")
