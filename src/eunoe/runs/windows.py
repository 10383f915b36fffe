"""The windows of the lists that were used last, so that a turn reads only what is new.

What a message costs must not grow with the history. A kept window is used only
when the list's version says that nothing but appends has happened since.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.messages import Image, Message, Reasoning, Text, words_of
from eunoe.domain.models import ModelConfig
from eunoe.domain.window import call_ids, cleaned, settled_upto, thinks
from eunoe.engine.ports import Window
from eunoe.errors import Missing
from eunoe.store import lists
from eunoe.store.db import Tx
from eunoe.store.own import there

_KEPT_LISTS: Final = 256
_KEPT_BYTES: Final = 48 * 1024 * 1024
_MESSAGE_BYTES: Final = 1_000
"""What a message takes beside its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A window as it was at `version`, with everything up to the place `seq`."""

    version: int
    seq: int
    system: Message
    messages: tuple[Message, ...]
    clean: tuple[Message, ...] = ()
    clean_upto: int = 0
    clean_calls: frozenset[str] = frozenset()
    cleaned_for: tuple[int, bool] | None = None
    """Context window and whether reasoning is replayed: what `clean` was made for."""
    read: tuple[tuple[int, Message], ...] = ()
    """What was read from the store just now, each message with its place."""


class Windows:
    """Kept windows by list, the least recently used dropped first, but never the newest."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    async def load(self, tx: Tx, list_id: str) -> Kept:
        """Return the list's window as the transaction sees it; raise `Missing` without one."""
        version = there(await lists.version(tx, list_id), "message list", list_id)
        kept = self._kept.get(list_id)
        if kept is not None and kept.version == version:
            new = await lists.placed(tx, list_id, after_seq=kept.seq)
            if not new:
                return kept
            said = tuple(message for _, message in new)
            seq = max(place for place, _ in new)
            return replace(kept, messages=kept.messages + said, seq=seq, read=tuple(new))
        found = await lists.placed(tx, list_id)
        if not found or found[0][1].role != "system":
            raise Missing(f"The message list {list_id} has no system message; recompile it.")
        return Kept(
            version=version,
            seq=max(place for place, _ in found),
            system=found[0][1],
            messages=tuple(message for _, message in found[1:]),
            read=tuple(found),
        )

    def keep(self, list_id: str, kept: Kept) -> None:
        """Remember a window that a transaction has read or committed."""
        before = self._kept.pop(list_id, None)
        size = _grown(self._sizes.get(list_id, 0), before, kept)
        self._bytes += size - self._sizes.get(list_id, 0)
        self._kept[list_id], self._sizes[list_id] = kept, size
        while len(self._kept) > _KEPT_LISTS or (self._bytes > _KEPT_BYTES and len(self._kept) > 1):
            self.drop(next(iter(self._kept)))

    def drop(self, list_id: str) -> None:
        if self._kept.pop(list_id, None) is not None:
            self._bytes -= self._sizes.pop(list_id)


def _grown(size: int, before: Kept | None, kept: Kept) -> int:
    """Return about how many bytes a window takes; only what is new in it is looked at."""
    old = before.messages if before is not None else ()
    same = len(old)
    if not old or len(kept.messages) < same or kept.messages[same - 1] is not old[-1]:
        same = size = 0
    return size + sum(_MESSAGE_BYTES + _text_bytes(one) for one in kept.messages[same:])


def _text_bytes(message: Message) -> int:
    said = sum(len(part.text) for part in message.content if isinstance(part, Text | Reasoning))
    images = sum(len(part.data) for part in message.content if isinstance(part, Image))
    returned = sum(len(words_of(one.output)) for one in message.returns)
    return said + images + returned + sum(len(call.arguments) for call in message.calls)


def window_of(
    kept: Kept, *, agent: Agent, blocks: tuple[Block, ...], config: ModelConfig
) -> Window:
    """Return the window as the model of `config` is to see it."""
    fits = kept.cleaned_for == _purpose(config)
    return Window(
        agent=agent,
        system=kept.system,
        messages=kept.messages,
        blocks=blocks,
        clean=kept.clean if fits else (),
        clean_upto=kept.clean_upto if fits else 0,
        clean_calls=kept.clean_calls if fits else frozenset(),
    )


def last_turn(kept: Kept) -> Kept:
    """Return the window with nothing in it but the turn that has just begun (L9)."""
    said = _of_last_turn(kept.messages)
    if len(said) == len(kept.messages):
        return kept
    return replace(_uncleaned(kept), version=kept.version + 1, messages=said)


async def cleared(tx: Tx, list_id: str, kept: Kept) -> Kept:
    """Evict from the list all but the turn that has just begun, and return its window (L9)."""
    left = last_turn(kept)
    gone = kept.messages[: len(kept.messages) - len(left.messages)]
    if gone:
        await lists.evict(tx, list_id, [message.id for message in gone], summary=None)
    return left


def _of_last_turn(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return what was said in the last run and, where it answers a request, in those before."""
    start = len(messages)
    while start > 0:
        run_id = messages[start - 1].run_id
        while start > 0 and messages[start - 1].run_id == run_id:
            start -= 1
        if messages[start].request_id is None:
            break
    return tuple(messages[start:])


def closed(kept: Kept, *, config: ModelConfig) -> Kept:
    """Return the window with all its turns made ready to be sent, as one that has just ended."""
    purpose = _purpose(config)
    if kept.cleaned_for != purpose or not kept.clean:
        kept = _uncleaned(kept)
    upto = kept.clean_upto
    head = kept.clean or cleaned((kept.system,), context_window=config.context_window)
    end = max(upto, settled_upto(kept.messages))
    fresh = cleaned(
        kept.messages[upto:end],
        context_window=config.context_window,
        keep_reasoning=thinks(config),
        taken=kept.clean_calls,
    )
    calls = call_ids(fresh)
    return replace(
        kept,
        clean=head + fresh,
        clean_upto=end,
        clean_calls=kept.clean_calls | calls if calls else kept.clean_calls,
        cleaned_for=purpose,
    )


def _uncleaned(kept: Kept) -> Kept:
    return replace(kept, clean=(), clean_upto=0, clean_calls=frozenset(), cleaned_for=None)


def _purpose(config: ModelConfig) -> tuple[int, bool]:
    return config.context_window, thinks(config)
