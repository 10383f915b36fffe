"""Memory edits of a turn, applied inside the transaction that stores what came of them.

An edit meets the blocks as they are now, not as they were when the run began, so
two agents that share a block cannot overwrite each other (FIX-27).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.edits import BlockEdit, Edited, PassageInsert, StateWrite, applied
from eunoe.domain.files import FileOpening
from eunoe.domain.guards import guarded
from eunoe.domain.messages import ToolCall, ToolReturn
from eunoe.domain.origins import Origin
from eunoe.domain.overheard import ChunksKept
from eunoe.domain.passages import Passage
from eunoe.domain.runs import Run
from eunoe.domain.times import stamp
from eunoe.domain.tools import ToolResult, truncated
from eunoe.engine.ports import Settled
from eunoe.errors import BlockGuarded, BlockIsolated, EunoeError
from eunoe.runs import files, overheard
from eunoe.store import archives, blocks, groups, isolated_blocks, passage_versions, passages
from eunoe.store.db import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who makes the edits, for the record of every change; null for `run` outside of runs."""

    agent: Agent
    run: Run | None
    step_id: str | None
    message_id: str | None = None
    approved: bool = False
    now: datetime

    def of(self, one: Settled) -> "Source":
        """Return the source of what a single call does."""
        return replace(self, approved=one.approved)

    @property
    def origin(self) -> Origin:
        return Origin(
            agent_id=self.agent.id,
            run_id=None if self.run is None else self.run.id,
            step_id=self.step_id,
            message_id=self.message_id,
        )

    @property
    def conversation_id(self) -> str | None:
        return None if self.run is None else self.run.conversation_id


async def settle(
    tx: Tx, settled: Sequence[Settled], *, source: Source
) -> tuple[list[ToolReturn], tuple[Block, ...] | None]:
    """Apply the edits among `settled` in order and return every call's return.

    The agent's blocks come with them if an edit was among them. An edit that fails
    is an error return and has changed nothing (M5).
    """
    time = stamp(source.now, timezone=source.agent.timezone)
    attached: tuple[Block, ...] | None = None
    if any(isinstance(one.outcome, BlockEdit | StateWrite) for one in settled):
        await blocks.hold(tx, source.agent.id, conversation_id=source.conversation_id)
        attached = await seen(tx, source)
    returns: list[ToolReturn] = []
    for one in settled:
        match one.outcome:
            case ToolResult() as result:
                pass
            case PassageInsert() as insert:
                result = await _insert(tx, insert, source=source)
            case ChunksKept() as chunks:
                heard = None if source.run is None else source.run.options.overheard
                result = await overheard.kept(
                    tx, chunks, heard, at=source.now, origin=source.origin
                )
            case FileOpening() as opening:
                result = await files.carry_out(tx, opening, agent=source.agent, at=source.now)
            case BlockEdit() as edit:
                result, attached = await _edit(tx, edit, attached or (), source=source.of(one))
            case StateWrite() as write:
                result, attached = await _write(tx, write, attached or (), source=source.of(one))
        returns.append(returned(one.call, result, time=time))
    return returns, attached


def returned(call: ToolCall, result: ToolResult, *, time: str) -> ToolReturn:
    """Return a result as the return of its call; `time` is in the agent's zone."""
    return ToolReturn(
        call_id=call.id,
        name=call.name,
        ok=result.ok,
        output=result.output,
        time=time,
        stdout=result.stdout,
        stderr=result.stderr,
        parts=result.parts,
    )


async def _edit(
    tx: Tx, edit: BlockEdit, attached: tuple[Block, ...], *, source: Source
) -> tuple[ToolResult, tuple[Block, ...]]:
    try:
        done, now = await _changed(tx, edit, attached, source=source)
    except EunoeError as error:
        friendly = f"Error executing function {edit.tool}: {type(error).__name__}: {error}"
        return ToolResult(ok=False, output=str(error), stderr=(friendly,)), attached
    return ToolResult(ok=True, output=truncated(done.output, limit=edit.limit)), now


async def _write(
    tx: Tx, write: StateWrite, attached: tuple[Block, ...], *, source: Source
) -> tuple[ToolResult, tuple[Block, ...]]:
    """Keep what a custom tool made of the memory; where that fails it ran all the same (X27)."""
    try:
        _, now = await _changed(tx, write, attached, source=source)
    except EunoeError as error:
        text = f"The tool ran, but its change of your memory was not kept: {error}"
        return replace(write.result, ok=False, output=text), attached
    return write.result, now


async def _changed(
    tx: Tx, edit: BlockEdit | StateWrite, attached: tuple[Block, ...], *, source: Source
) -> tuple[Edited, tuple[Block, ...]]:
    """Store what `edit` comes to and return it with the blocks as they are then."""
    done = applied(edit, attached, new_id=lambda: ids.new("block"))
    careful = None if source.approved else guarded(done, attached)
    if careful is not None:
        raise BlockGuarded(
            f"Changes of the block `{careful.label}` need a person's approval, and this one was "
            "not asked about; call a memory tool for it.",
            label=careful.label,
        )
    if source.conversation_id is not None:
        await _check_isolated(tx, done, attached, conversation_id=source.conversation_id)
    for block in done.changed:
        await blocks.update(tx, block, expected_version=block.version, origin=source.origin)
    partners = await _partners(tx, source.agent) if done.created else ()
    for block in done.created:
        await blocks.insert(tx, block, origin=source.origin)
        for agent_id in (source.agent.id, *partners):
            await blocks.attach(tx, agent_id, block)
    for block_id in done.detached:
        await blocks.detach(tx, source.agent.id, block_id)
    return done, await seen(tx, source)


async def seen(tx: Tx, source: Source) -> tuple[Block, ...]:
    """Return the blocks that the turn sees: those of its conversation in place of the agent's."""
    return await isolated_blocks.seen(tx, source.agent.id, conversation_id=source.conversation_id)


async def _check_isolated(
    tx: Tx, done: Edited, before: Sequence[Block], *, conversation_id: str
) -> None:
    """Refuse to rename or remove a copy: it comes and goes with its conversation (M8).

    The agent's block of that label would come to light again, and the next edit hit it.
    """
    own = {block.id for block in await isolated_blocks.of(tx, conversation_id)}
    labels = {block.id: block.label for block in before}
    gone = [block_id for block_id in done.detached if block_id in own]
    gone += [b.id for b in done.changed if b.id in own and b.label != labels[b.id]]
    if gone:
        raise BlockIsolated(
            f"The block `{labels[gone[0]]}` belongs to this conversation and stays under its "
            "label; change its value instead."
        )


async def _partners(tx: Tx, agent: Agent) -> tuple[str, ...]:
    """Return who looks after the agent's memory, and so gets each block that it makes (M9)."""
    group = await groups.sleeptime_of(tx, agent.id) if agent.enable_sleeptime else None
    return () if group is None else group.agent_ids


async def _insert(tx: Tx, insert: PassageInsert, *, source: Source) -> ToolResult:
    archive = await archives.of_agent(tx, source.agent)
    passage = Passage(
        id=ids.new("passage"),
        archive_id=archive.id,
        text=insert.text,
        tags=insert.tags,
        vector=insert.vector,
        embedding=source.agent.embedding if insert.vector is not None else None,
        created_at=source.now,
    )
    await passages.insert(tx, [passage])
    await passage_versions.record(tx, [passage], "created", origin=source.origin)
    return ToolResult(ok=True, output="None")
