"""What a model sees of a message list, looked at and changed from outside a run.

A run keeps its window in memory, so nothing here happens while one is active: the
caller gets `ListBusy` and may try again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.compaction import is_summary
from eunoe.domain.compaction_settings import merged
from eunoe.domain.drafts import CompactionPatch
from eunoe.domain.files import Directory
from eunoe.domain.messages import Message, Text, text_of
from eunoe.domain.overview import Overview, overview
from eunoe.domain.prompt import PromptFacts, system_text
from eunoe.domain.summaries import summary_of
from eunoe.domain.times import stamp
from eunoe.engine.compact import Compaction, Occasion, Speaker, compact
from eunoe.engine.ports import Window
from eunoe.errors import Invalid, ListBusy, Missing
from eunoe.runs.speakers import summariser
from eunoe.service import states
from eunoe.service.models import Models
from eunoe.service.opening import default_messages
from eunoe.service.places import Place
from eunoe.store import file_blocks, isolated_blocks, lists, messages, runs, search, tools
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.facts import facts

_COMPILED: str = "- The system prompt was last recompiled at: "


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A list, as one snapshot has it; the agent as it speaks there."""

    place: Place
    agent: Agent
    blocks: tuple[Block, ...]
    directories: tuple[Directory, ...]
    window: tuple[Message, ...]
    version: int

    @property
    def system(self) -> Message:
        return self.window[0]


async def recompile(
    db: Database, actor: Actor, place: Place, *, update_timestamp: bool, dry_run: bool
) -> str:
    """Return the system message as it would be built now, and store it unless `dry_run` (6.80).

    Without `update_timestamp` it keeps saying when it was last compiled.
    """
    if dry_run:
        async with db.read(actor) as tx:
            return await _compiled(tx, await _held(tx, place), fresh=update_timestamp)
    async with db.write(actor) as tx:
        held = await _idle(tx, place)
        text = await _compiled(tx, held, fresh=update_timestamp)
        await _store_system(tx, held, text)
        return text


async def reset(
    db: Database, actor: Actor, agent_id: str, *, add_default_messages: bool
) -> AgentState:
    """Shrink the window to the system message, built anew; stored messages stay (8.12).

    With `add_default_messages` those follow that a new agent of the type has (6.13).
    """
    async with db.write(actor) as tx:
        held = await _idle(tx, Place(agent_id=agent_id))
        await lists.arrange(tx, agent_id, [held.system.id])
        await _store_system(tx, held, await _compiled(tx, held, fresh=True))
        if add_default_messages:
            said = default_messages(held.agent, at=datetime.now(UTC))
            await search.index_messages(tx, said, await lists.append(tx, agent_id, said))
        return await states.one(tx, agent_id)


async def rearrange(tx: Tx, agent_id: str, message_ids: Sequence[str]) -> None:
    """Make these messages the window, in this order; the first is the system message (6.30).

    Raises `Missing` for a message that is not the agent's own.
    """
    held = await _idle(tx, Place(agent_id=agent_id))
    if not message_ids or message_ids[0] != held.system.id:
        raise Invalid(f"message_ids has to begin with the system message {held.system.id}.")
    if len(set(message_ids)) != len(message_ids):
        raise Invalid("message_ids names a message twice; name each once.")
    if not await lists.arrange(tx, agent_id, message_ids):
        raise Missing("message_ids names a message that is not one of this agent's own list.")


async def context(db: Database, actor: Actor, place: Place) -> Overview:
    """Return what fills the window, part by part (6.80, agent C4)."""
    async with db.read(actor) as tx:
        held = await _held(tx, place)
        used = (await tools.of_agents(tx, [place.agent_id]))[place.agent_id]
        found = await _facts(tx, place, now=datetime.now(UTC))
        stored = await messages.count(tx, place.agent_id)
    return overview(
        held.agent,
        held.blocks,
        found,
        window=held.window,
        tools=[tool.schema for tool in used],
        stored=stored,
        directories=held.directories,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarised:
    """The summary in the window, null for none, and how many messages it has come to."""

    summary: str | None
    before: int
    after: int


async def summarise(
    db: Database, actor: Actor, place: Place, patch: CompactionPatch | None, *, models: Models
) -> Summarised:
    """Put a summary in the place of the window's messages (8.12, agent C23).

    Where there is nothing but the system message and summaries, nothing changes.
    Raises `Invalid` where the window would not get smaller, and `ListBusy` where
    somebody else changed it while the summary was written.
    """
    async with db.read(actor) as tx:
        held = await _idle(tx, place)
        used = (await tools.of_agents(tx, [place.agent_id]))[place.agent_id]
    before = len(held.window)
    rest = held.window[1:]
    if all(is_summary(message) for message in rest):
        summary = summary_of(rest[-1]) if rest else None
        return Summarised(summary=summary, before=before, after=before)
    settings = held.agent.compaction
    settings = settings if patch is None else merged(settings, patch)
    done = await compact(
        Window(agent=held.agent, system=held.system, messages=rest, blocks=held.blocks),
        occasion=Occasion(trigger=None, now=datetime.now(UTC), settings=settings),
        own=Speaker(model=models.model_for(held.agent.model), config=held.agent.model),
        summariser=await summariser(settings, own=held.agent.model, models=models),
        tools=[tool.schema for tool in used],
    )
    if done is None or done.stats.messages_count_after >= before:
        raise Invalid("There is nothing to sum up: the window would not get smaller.")
    async with db.write(actor) as tx:
        await _replace(tx, held, done)
    return Summarised(summary=done.text, before=before, after=done.stats.messages_count_after)


async def _replace(tx: Tx, held: _Held, done: Compaction) -> None:
    now = await _idle(tx, held.place)
    if now.version != held.version or len(now.window) != len(held.window):
        raise ListBusy(run_id=None)
    await lists.evict(tx, held.place.list_id, done.evicted, summary=done.summary)


async def _idle(tx: Tx, place: Place) -> _Held:
    """Return the list; raise `ListBusy` while a run works on it."""
    held = await _held(tx, place)
    active = await runs.active_on(tx, place.list_id)
    if active is not None:
        raise ListBusy(run_id=active.id)
    return held


async def _held(tx: Tx, place: Place) -> _Held:
    agent = await states.known(tx, place.agent_id)
    version = await lists.version(tx, place.list_id)
    window = await lists.window(tx, place.list_id)
    if version is None or not window:
        raise Missing(f"There is no message list {place.list_id} with a system message.")
    return _Held(
        place=place,
        agent=place.voice(agent),
        blocks=await isolated_blocks.seen(tx, agent.id, conversation_id=place.conversation_id),
        directories=await file_blocks.directories(tx, agent.id) if agent.has_folders else (),
        window=tuple(window),
        version=version,
    )


async def _compiled(tx: Tx, held: _Held, *, fresh: bool) -> str:
    now = datetime.now(UTC)
    found = await _facts(tx, held.place, now=now)
    text = system_text(held.agent, held.blocks, found, directories=held.directories)
    said = _compiled_at(text_of(held.system))
    if fresh or said is None:
        return text
    head, line, tail = text.rpartition(_COMPILED + stamp(now, timezone=held.agent.timezone))
    return f"{head}{_COMPILED}{said}{tail}" if line else text


async def _facts(tx: Tx, place: Place, *, now: datetime) -> PromptFacts:
    return await facts(
        tx,
        agent_id=place.agent_id,
        list_id=place.list_id,
        conversation_id=place.conversation_id,
        now=now,
    )


def _compiled_at(stored: str) -> str | None:
    """Return what the stored system message says of when it was compiled."""
    _, line, tail = stored.rpartition(_COMPILED)
    return tail.partition("\n")[0] if line else None


async def _store_system(tx: Tx, held: _Held, text: str) -> None:
    if text != text_of(held.system):
        system = replace(held.system, content=(Text(text=text),))
        await lists.rewrite_system(tx, held.place.list_id, system)
