"""Identities: made, changed, removed, and who belongs to them (api 21.1)."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from eunoe import ids
from eunoe.domain.agent_states import AgentState, Relation
from eunoe.domain.alike import alike
from eunoe.domain.blocks import Block
from eunoe.domain.identities import Identity, IdentityDraft, IdentityPatch, Property, merged
from eunoe.errors import Missing
from eunoe.service import states
from eunoe.service.blocks import known as known_block
from eunoe.service.stamps import made_by, touched_by
from eunoe.store import agents, blocks, identities
from eunoe.store.agents import AgentFilter
from eunoe.store.blocks import BlockFilter
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import all_there, there
from eunoe.store.paging import Page


async def create(db: Database, actor: Actor, draft: IdentityDraft) -> Identity:
    """Make an identity; raise `IdentityExists`, and `Missing` for unknown agents or blocks."""
    async with db.write(actor) as tx:
        return await _made(tx, draft)


async def upsert(db: Database, actor: Actor, draft: IdentityDraft) -> Identity:
    """Make the identity, or replace all of it that the draft names but its blocks (21.3)."""
    async with db.write(actor) as tx:
        found = await identities.by_key(tx, draft.identifier_key, project_id=draft.project_id)
        if found is None:
            return await _made(tx, draft)
        changed = replace(
            found,
            name=draft.name,
            identity_type=draft.identity_type,
            properties=found.properties if draft.properties is None else draft.properties,
            **touched_by(actor),
        )
        await identities.update(tx, changed)
        if draft.agent_ids is not None:
            await identities.unlink_agents(tx, found.id)
            await _link(tx, found.id, agent_ids=draft.agent_ids)
        return changed


async def update(db: Database, actor: Actor, identity_id: str, patch: IdentityPatch) -> Identity:
    """Change an identity: properties are merged by key, agents and blocks are added (21.4)."""
    async with db.write(actor) as tx:
        found = await known(tx, identity_id, held=True)
        changed = replace(
            found,
            identifier_key=patch.identifier_key or found.identifier_key,
            name=found.name if patch.name is None else patch.name,
            identity_type=patch.identity_type or found.identity_type,
            properties=merged(found.properties, patch.properties or ()),
            **touched_by(actor),
        )
        await identities.update(tx, changed)
        await _link(tx, found.id, agent_ids=patch.agent_ids, block_ids=patch.block_ids)
        return changed


async def describe(
    db: Database, actor: Actor, identity_id: str, properties: tuple[Property, ...]
) -> Identity:
    """Replace all properties (21.4)."""
    async with db.write(actor) as tx:
        found = await known(tx, identity_id, held=True)
        changed = replace(found, properties=properties, **touched_by(actor))
        await identities.update(tx, changed)
        return changed


async def delete(db: Database, actor: Actor, identity_id: str) -> None:
    """Remove an identity; its agents and blocks stay (21.6)."""
    async with db.write(actor) as tx:
        there(await identities.delete(tx, identity_id), "identity", identity_id)


async def known(tx: Tx, identity_id: str, *, held: bool = False) -> Identity:
    """Return the identity; raise `Missing` for an unknown or foreign one."""
    return there(await identities.get(tx, identity_id, held=held), "identity", identity_id)


async def agents_of(
    db: Database, actor: Actor, identity_id: str, page: Page, *, include: Collection[Relation]
) -> list[AgentState]:
    """Return a page of the agents that belong to the identity."""
    where = AgentFilter(identity_id=identity_id, show_hidden=True)
    async with db.read(actor) as tx:
        await known(tx, identity_id)
        return await states.of(tx, await agents.list_agents(tx, where, page), include=include)


async def blocks_of(db: Database, actor: Actor, identity_id: str, page: Page) -> list[Block]:
    """Return a page of the blocks that belong to the identity."""
    where = BlockFilter(identity_id=identity_id, templates_only=None, show_hidden=True)
    async with db.read(actor) as tx:
        await known(tx, identity_id)
        return await blocks.list_blocks(tx, where, page)


async def attach_agent(db: Database, actor: Actor, agent_id: str, identity_id: str) -> None:
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        await known(tx, identity_id)
        await identities.link(tx, "agent", ids=[agent_id], identity_ids=[identity_id])


async def detach_agent(db: Database, actor: Actor, agent_id: str, identity_id: str) -> None:
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        await known(tx, identity_id)
        await identities.unlink(tx, "agent", agent_id, identity_id)


async def attach_block(db: Database, actor: Actor, block_id: str, identity_id: str) -> Block:
    async with db.write(actor) as tx:
        block = await known_block(tx, block_id)
        await known(tx, identity_id)
        await identities.link(tx, "block", ids=[block_id], identity_ids=[identity_id])
        return block


async def detach_block(db: Database, actor: Actor, block_id: str, identity_id: str) -> Block:
    async with db.write(actor) as tx:
        block = await known_block(tx, block_id)
        await known(tx, identity_id)
        await identities.unlink(tx, "block", block_id, identity_id)
        return block


async def give(tx: Tx, agent_id: str, identity_ids: Sequence[str]) -> None:
    """Make these the identities of an agent, and all of them; raise `Missing` (6.30.1)."""
    absent = await identities.absent(tx, identity_ids)
    if absent:
        raise Missing(f"There are no such identities: {', '.join(absent)}.")
    await identities.unlink_identities(tx, agent_id)
    await identities.link(tx, "agent", ids=[agent_id], identity_ids=identity_ids)


async def _made(tx: Tx, draft: IdentityDraft) -> Identity:
    made = alike(
        Identity,
        draft,
        id=ids.new("identity"),
        organization_id=tx.actor.organization_id,
        properties=merged(draft.properties or (), ()),
        **made_by(tx.actor),
    )
    await identities.insert(tx, made)
    await _link(tx, made.id, agent_ids=draft.agent_ids or (), block_ids=draft.block_ids or ())
    return made


async def _link(
    tx: Tx, identity_id: str, *, agent_ids: Sequence[str] = (), block_ids: Sequence[str] = ()
) -> None:
    """Let agents and blocks belong to the identity; raise `Missing` for unknown ones (21.5)."""
    found = {*(await agents.many(tx, agent_ids) if agent_ids else ())}
    found |= {*(await blocks.many(tx, block_ids) if block_ids else ())}
    all_there(found, (*agent_ids, *block_ids), "agents or blocks")
    await identities.link(tx, "agent", ids=agent_ids, identity_ids=[identity_id])
    await identities.link(tx, "block", ids=block_ids, identity_ids=[identity_id])
