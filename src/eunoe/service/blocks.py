"""Memory blocks, by themselves and on an agent (api 6.60, 12).

Nothing here touches a system message: a run rebuilds its own when the blocks have
changed (FIX-4b, FIX-5).
"""

import difflib
import json
from collections.abc import Collection
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Final

from eunoe import ids
from eunoe.domain.agent_states import AgentState, Relation
from eunoe.domain.blocks import (
    Block,
    BlockDraft,
    BlockPatch,
    BlockVersion,
    built_in_description,
    restored,
)
from eunoe.domain.origins import Origin
from eunoe.errors import BlockChanged, BlockMissing, Missing
from eunoe.service import sleeptime, states
from eunoe.store import agents, audit, block_versions, blocks, isolated_blocks
from eunoe.store.agents import AgentFilter
from eunoe.store.blocks import BlockFilter
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there
from eunoe.store.paging import Page

_PLAIN_FIELDS: Final = ("label", "description", "limit", "read_only", "metadata", "tags")


def drafted(draft: BlockDraft, *, actor: Actor, at: datetime) -> Block:
    """Return the new block; raise `BlockFull` for a text past its limit (12.2.2, FIX-25).

    `human` and `persona` get a description of what they are for (6.8.2, A10).
    """
    values = {field.name: getattr(draft, field.name) for field in fields(draft)}
    values["description"] = draft.description or built_in_description(draft.label)
    block = Block(
        **values,
        id=ids.new("block"),
        created_by_id=actor.user_id,
        last_updated_by_id=actor.user_id,
        created_at=at,
    )
    return block.with_value(draft.value)


async def create(db: Database, actor: Actor, draft: BlockDraft) -> Block:
    block = drafted(draft, actor=actor, at=datetime.now(UTC))
    async with db.write(actor) as tx:
        await blocks.insert(tx, block)
    return block


async def known(tx: Tx, block_id: str) -> Block:
    """Return the block; raise `Missing` for an unknown or foreign one."""
    return there(await blocks.get(tx, block_id), "block", block_id)


async def update(db: Database, actor: Actor, block_id: str, patch: BlockPatch) -> Block:
    """Change a block for everyone who has it; a rename follows to the agents (12.20).

    Raises `BlockFull`, `BlockExists` where an agent has the new label already, and
    `BlockChanged` when somebody else was faster.
    """
    async with db.write(actor) as tx:
        return await _changed(tx, await known(tx, block_id), patch)


async def delete(db: Database, actor: Actor, block_id: str) -> None:
    """Remove a block; it leaves every agent that has it (12.30)."""
    async with db.write(actor) as tx:
        there(await blocks.delete(tx, block_id), "block", block_id)
        await audit.note(tx, "block.delete", block_id)


async def history(db: Database, actor: Actor, block_id: str, page: Page) -> list[BlockVersion]:
    """Return a page of what the block has been."""
    async with db.read(actor) as tx:
        await known(tx, block_id)
        return await block_versions.page_of(tx, block_id, page)


async def diff(
    db: Database, actor: Actor, block_id: str, *, since: int | None, until: int | None
) -> str:
    """Return how a block changed between two versions, as a unified diff.

    Without `until` that is its present, without `since` the version before that.
    """
    async with db.read(actor) as tx:
        block = await known(tx, block_id)
        until = block.version if until is None else until
        since = max(1, until - 1) if since is None else since
        before = await _version(tx, block_id, since)
        after = await _version(tx, block_id, until)
    return difference(before, after)


def difference(before: BlockVersion, after: BlockVersion) -> str:
    """Return the lines that differ: of each field that says something else, and of the value."""
    told: list[str] = []
    for name in (*_PLAIN_FIELDS, "value"):
        told += difflib.unified_diff(
            _lines(getattr(before, name)),
            _lines(getattr(after, name)),
            f"{name} (version {before.version})",
            f"{name} (version {after.version})",
            lineterm="",
        )
    return "".join(f"{line}\n" for line in told)


def _lines(value: object) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text.splitlines()


async def revert(
    db: Database, actor: Actor, block_id: str, *, version: int, expected_version: int | None
) -> Block:
    """Make a block what it was at `version`, as a new version of its own.

    Raises `BlockChanged` where the block is not at `expected_version` any more, and
    `BlockExists` where an agent has another block under the old label by now.
    """
    async with db.write(actor) as tx:
        block = await known(tx, block_id)
        if expected_version not in (None, block.version):
            raise BlockChanged(
                f"The block is at version {block.version} and not at {expected_version}; look at "
                "what has changed and try again."
            )
        await audit.note(tx, "block.revert", block_id)
        return await _stored(tx, block, restored(block, await _version(tx, block_id, version)))


async def _version(tx: Tx, block_id: str, version: int) -> BlockVersion:
    found = await block_versions.get(tx, block_id, version)
    if found is None:
        raise Missing(f"The block {block_id} has no version {version}.")
    return found


async def agents_of(
    db: Database, actor: Actor, block_id: str, page: Page, *, include: Collection[Relation]
) -> list[AgentState]:
    """Return the agents that have the block; an unknown block is `Missing` (12.40)."""
    async with db.read(actor) as tx:
        await known(tx, block_id)
        found = await agents.list_agents(tx, AgentFilter(block_id=block_id), page)
        return await states.of(tx, found, include=include)


# On an agent


async def of_agent(db: Database, actor: Actor, agent_id: str, page: Page) -> list[Block]:
    """Return a page of the agent's blocks."""
    where = BlockFilter(agent_id=agent_id, templates_only=None, show_hidden=True)
    async with db.read(actor) as tx:
        await states.known(tx, agent_id)
        return await blocks.list_blocks(tx, where, page)


async def labelled(db: Database, actor: Actor, agent_id: str, label: str) -> Block:
    """Return the agent's block with this label; raise `BlockMissing`."""
    async with db.read(actor) as tx:
        await states.known(tx, agent_id)
        return await _labelled(tx, agent_id, label)


async def update_labelled(
    db: Database, actor: Actor, agent_id: str, label: str, patch: BlockPatch
) -> Block:
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        return await _changed(tx, await _labelled(tx, agent_id, label), patch, agent_id=agent_id)


async def attach(db: Database, actor: Actor, agent_id: str, block_id: str) -> AgentState:
    """Give the agent a block, and those that look after its memory (6.15.3, 6.60).

    One it has already is no change. Raises `BlockExists` when it has another block with that label.
    """
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        block = await known(tx, block_id)
        await blocks.attach(tx, agent_id, block)
        await sleeptime.share(tx, agent_id, block)
        return await states.one(tx, agent_id)


async def detach(db: Database, actor: Actor, agent_id: str, block_id: str) -> AgentState:
    """Take a block off the agent; the block stays. One it does not have is `BlockMissing`."""
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        if not await blocks.detach(tx, agent_id, block_id):
            raise BlockMissing(f"The agent has no block {block_id}.")
        return await states.one(tx, agent_id)


async def _labelled(tx: Tx, agent_id: str, label: str) -> Block:
    block = await blocks.by_label(tx, agent_id, label)
    if block is None:
        raise BlockMissing(f"The agent has no block labelled `{label}`.")
    return block


async def _changed(
    tx: Tx, block: Block, patch: BlockPatch, *, agent_id: str | None = None
) -> Block:
    given = {
        field.name: getattr(patch, field.name)
        for field in fields(patch)
        if getattr(patch, field.name) is not None
    }
    wanted = replace(block, **given)
    return await _stored(tx, block, wanted.with_value(wanted.value), agent_id=agent_id)


async def _stored(tx: Tx, block: Block, wanted: Block, *, agent_id: str | None = None) -> Block:
    """Store what a block is to become, in a version of its own if that is anything new."""
    if wanted == block:
        return block
    if wanted.label != block.label:
        await isolated_blocks.relabel(tx, wanted)
    origin = Origin(agent_id=agent_id)
    return await blocks.update(tx, wanted, expected_version=block.version, origin=origin)
