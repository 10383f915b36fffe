"""What was written of a message list for its last request, kept for the next one.

One list's requests mostly extend each other, and writing a message out as JSON costs
more than everything else done for it. So the cost of a request follows what is new
in it, not the length of the history.
"""

import operator
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from eunoe.domain.messages import Message

_KEPT_LISTS: Final = 256
_KEPT_BYTES: Final = 32 * 1024 * 1024

Write = Callable[[Message], Sequence[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Written:
    style: Hashable
    messages: tuple[Message, ...]
    pieces: list[bytes]
    """The JSON of each message, without the comma behind it; empty for one that is not sent."""
    joined: bytes


class Transcripts:
    """The lists that were asked about last, the least recently used dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Written] = OrderedDict()
        self._bytes = 0

    def array(
        self, messages: tuple[Message, ...], *, list_id: str | None, style: Hashable, write: Write
    ) -> bytes:
        """Return the JSON array of what `write` makes of `messages`.

        `style` is what `write` depends on beside the message.
        """
        kept = self._kept.get(list_id) if list_id is not None else None
        same = _common(kept.messages, messages) if kept and kept.style == style else 0
        new = [_piece(write(message)) for message in messages[same:]]
        if kept is not None and same == len(kept.messages):
            # Nothing but new messages: what was joined is not joined again.
            pieces = kept.pieces
            pieces.extend(new)
            joined = b",".join(filter(None, [kept.joined, *new]))
        else:
            pieces = [*kept.pieces[:same], *new] if kept is not None else new
            joined = b",".join(filter(None, pieces))
        if list_id is not None:
            self._keep(list_id, _Written(style, messages, pieces, joined))
        return b"[%b]" % joined

    def _keep(self, list_id: str, written: _Written) -> None:
        old = self._kept.pop(list_id, None)
        self._kept[list_id] = written
        self._bytes += _size(written) - (_size(old) if old else 0)
        while self._kept and (self._bytes > _KEPT_BYTES or len(self._kept) > _KEPT_LISTS):
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)


def _piece(given: Sequence[dict[str, Any]]) -> bytes:
    # What orjson returns keeps the 4 kB that it was written in; a copy has its own length.
    return bytes(memoryview(b",".join(map(orjson.dumps, given))))


def _size(written: _Written) -> int:
    """Return about how many bytes are held: each message twice, alone and joined."""
    return 2 * len(written.joined)


def _common(old: tuple[Message, ...], new: tuple[Message, ...]) -> int:
    """Return how many messages at the start are the very same values."""
    same = len(old)
    # Told in one go mostly, since the same thing is equal without being looked at.
    if all(map(operator.is_, old, new)) and len(new) >= same:
        return same
    same = 0
    for left, right in zip(old, new, strict=False):
        if left is not right:
            break
        same += 1
    return same
