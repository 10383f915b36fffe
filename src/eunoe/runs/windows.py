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
from eunoe.domain.messages import Message
from eunoe.domain.models import ModelConfig
from eunoe.domain.window import cleaned, settled_upto, thinks
from eunoe.engine.ports import Window
from eunoe.errors import Missing
from eunoe.store import lists
from eunoe.store.db import Tx
from eunoe.store.own import there

_KEPT_LISTS: Final = 256
_KEPT_MESSAGES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A window as it was at `version`, with everything up to the place `seq`."""

    version: int
    seq: int
    system: Message
    messages: tuple[Message, ...]
    clean: tuple[Message, ...] = ()
    clean_upto: int = 0
    cleaned_for: tuple[int, bool] | None = None
    """Context window and whether reasoning is replayed: what `clean` was made for."""
    read: tuple[tuple[int, Message], ...] = ()
    """What was read from the store just now, each message with its place."""


class Windows:
    """Kept windows by list, the least recently used dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._messages = 0

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
        self.drop(list_id)
        self._kept[list_id] = kept
        self._messages += len(kept.messages)
        while self._kept and (len(self._kept) > _KEPT_LISTS or self._messages > _KEPT_MESSAGES):
            _, oldest = self._kept.popitem(last=False)
            self._messages -= len(oldest.messages)

    def drop(self, list_id: str) -> None:
        kept = self._kept.pop(list_id, None)
        if kept is not None:
            self._messages -= len(kept.messages)


def window_of(
    kept: Kept, *, agent: Agent, blocks: tuple[Block, ...], config: ModelConfig
) -> Window:
    """Return the window as the model of `config` is to see it."""
    if agent.message_buffer_autoclear:
        # What was said before this run is not loaded (L9).
        return Window(
            agent=agent, system=kept.system, messages=_of_last_turn(kept.messages), blocks=blocks
        )
    fits = kept.cleaned_for == _purpose(config)
    return Window(
        agent=agent,
        system=kept.system,
        messages=kept.messages,
        blocks=blocks,
        clean=kept.clean if fits else (),
        clean_upto=kept.clean_upto if fits else 0,
    )


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
        kept = replace(kept, clean=(), clean_upto=0)
    upto = kept.clean_upto
    head = kept.clean or cleaned((kept.system,), context_window=config.context_window)
    end = max(upto, settled_upto(kept.messages))
    fresh = cleaned(
        kept.messages[upto:end],
        context_window=config.context_window,
        keep_reasoning=thinks(config),
        after=head,
    )
    return replace(kept, clean=head + fresh, clean_upto=end, cleaned_for=purpose)


def _purpose(config: ModelConfig) -> tuple[int, bool]:
    return config.context_window, thinks(config)
