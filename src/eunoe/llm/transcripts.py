"""What was written of a message list for its last request, kept for the next one.

One list's requests mostly extend each other, and writing a message out as JSON costs
more than everything else done for it. So the cost of a request follows what is new
in it, not the length of the history.
"""

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
    size: int


class Transcripts:
    """The lists that were asked about last, the least recently used dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Written] = OrderedDict()
        self._bytes = 0

    def array(
        self,
        messages: tuple[Message, ...],
        *,
        list_id: str | None,
        style: Hashable,
        write: Write,
    ) -> bytes:
        """Return the JSON array of what `write` makes of `messages`.

        `style` is what `write` depends on beside the message.
        """
        kept = self._kept.get(list_id) if list_id is not None else None
        same = _common(kept.messages, messages) if kept and kept.style == style else 0
        pieces = kept.pieces[:same] if kept else []
        pieces.extend(
            b",".join(orjson.dumps(one) for one in write(message)) for message in messages[same:]
        )
        array = b"[" + b",".join(filter(None, pieces)) + b"]"
        if list_id is not None:
            self._keep(list_id, _Written(style, messages, pieces, len(array)))
        return array

    def _keep(self, list_id: str, written: _Written) -> None:
        old = self._kept.pop(list_id, None)
        self._kept[list_id] = written
        self._bytes += written.size - (old.size if old else 0)
        while self._kept and (self._bytes > _KEPT_BYTES or len(self._kept) > _KEPT_LISTS):
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.size


def _common(old: Sequence[Message], new: Sequence[Message]) -> int:
    """Return how many messages at the start are the very same values."""
    same = 0
    for left, right in zip(old, new, strict=False):
        if left is not right:
            break
        same += 1
    return same
