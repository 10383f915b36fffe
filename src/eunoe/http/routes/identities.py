"""Identities, and the agents and blocks that belong to them (api 21.1, 6.70, 12.50)."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from eunoe.domain.identities import IdentityType
from eunoe.http.callers import RelationsDep
from eunoe.http.deps import Me
from eunoe.http.pages import page_of
from eunoe.http.paths import AgentId, BlockId, IdentityId, well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import identities
from eunoe.store import identities as stored
from eunoe.store.identities import IdentityFilter
from eunoe.store.paging import Page
from eunoe.wire.agents import AgentState, listed
from eunoe.wire.blocks import BlockResponse, block
from eunoe.wire.identities import (
    CreateIdentityBody,
    Identity,
    PropertyBody,
    UpdateIdentityBody,
    identity,
    properties,
)

router = v1("/identities", tag="identities", deprecated=True)
of_agent = v1("/agents", tag="agents")
of_block = v1("/blocks", tag="blocks")

Newest = Annotated[Page, Depends(page_of(limit=50, order="desc"))]


@router.get("/", **answers("list_identities", list[Identity]))
async def list_all(
    me: Me,
    page: Newest,
    name: str | None = None,
    identifier_key: str | None = None,
    identity_type: IdentityType | None = None,
    project_id: str | None = None,
) -> Response:
    """List identities, the newest first; `name` is any part of theirs."""
    where = IdentityFilter(
        name=name, identifier_key=identifier_key, identity_type=identity_type, project_id=project_id
    )
    async with me.read() as tx:
        found = await stored.list_identities(tx, where, page)
    return JsonReply([identity(one) for one in found])


@router.get("/count", **answers("count_identities", int))
async def count(me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(await stored.count(tx))


@router.post("/", **answers("create_identity", Identity))
async def create(body: CreateIdentityBody, me: Me) -> Response:
    return JsonReply(identity(await identities.create(me.db, me.actor, body.draft())))


@router.put("/", **answers("upsert_identity", Identity))
async def upsert(body: CreateIdentityBody, me: Me) -> Response:
    """Make an identity, or change the one of this key and project."""
    return JsonReply(identity(await identities.upsert(me.db, me.actor, body.draft())))


@router.get("/{identity_id}", **answers("retrieve_identity", Identity))
async def retrieve(identity_id: IdentityId, me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(identity(await identities.known(tx, identity_id)))


@router.patch("/{identity_id}", **answers("update_identity", Identity))
async def update(identity_id: IdentityId, body: UpdateIdentityBody, me: Me) -> Response:
    """Change an identity; properties are merged by key, agents and blocks are added."""
    changed = await identities.update(me.db, me.actor, identity_id, body.patch())
    return JsonReply(identity(changed))


@router.put("/{identity_id}/properties", **answers("upsert_properties_for_identity", Identity))
async def describe(identity_id: IdentityId, body: list[PropertyBody], me: Me) -> Response:
    """Replace all properties."""
    changed = await identities.describe(me.db, me.actor, identity_id, properties(body))
    return JsonReply(identity(changed))


@router.delete("/{identity_id}", operation_id="delete_identity")
async def delete(identity_id: IdentityId, me: Me) -> Response:
    """Delete an identity; its agents and blocks stay."""
    await identities.delete(me.db, me.actor, identity_id)
    return JsonReply(None)


@router.get("/{identity_id}/agents", **answers("list_agents_for_identity", list[AgentState]))
async def list_agents(
    identity_id: IdentityId, me: Me, wanted: RelationsDep, page: Newest
) -> Response:
    """List the agents that belong to the identity."""
    found = await identities.agents_of(me.db, me.actor, identity_id, page, include=wanted)
    return JsonReply(listed(found))


@router.get("/{identity_id}/blocks", **answers("list_blocks_for_identity", list[BlockResponse]))
async def list_blocks(identity_id: IdentityId, me: Me, page: Newest) -> Response:
    """List the blocks that belong to the identity."""
    found = await identities.blocks_of(me.db, me.actor, identity_id, page)
    return JsonReply([block(one) for one in found])


# On an agent and on a block


@of_agent.patch(
    "/{agent_id}/identities/attach/{identity_id}", operation_id="attach_identity_to_agent"
)
async def attach(agent_id: AgentId, identity_id: str, me: Me) -> Response:
    """Let the agent belong to an identity."""
    well_formed(identity_id, "identity")
    await identities.attach_agent(me.db, me.actor, agent_id, identity_id)
    return JsonReply(None)


@of_agent.patch(
    "/{agent_id}/identities/detach/{identity_id}", operation_id="detach_identity_from_agent"
)
async def detach(agent_id: AgentId, identity_id: str, me: Me) -> Response:
    """Let the agent no longer belong to an identity."""
    well_formed(identity_id, "identity")
    await identities.detach_agent(me.db, me.actor, agent_id, identity_id)
    return JsonReply(None)


@of_block.patch(
    "/{block_id}/identities/attach/{identity_id}",
    **answers("attach_identity_to_block", BlockResponse),
)
async def attach_to_block(block_id: BlockId, identity_id: str, me: Me) -> Response:
    """Let the block belong to an identity."""
    well_formed(identity_id, "identity")
    return JsonReply(block(await identities.attach_block(me.db, me.actor, block_id, identity_id)))


@of_block.patch(
    "/{block_id}/identities/detach/{identity_id}",
    **answers("detach_identity_from_block", BlockResponse),
)
async def detach_from_block(block_id: BlockId, identity_id: str, me: Me) -> Response:
    """Let the block no longer belong to an identity."""
    well_formed(identity_id, "identity")
    return JsonReply(block(await identities.detach_block(me.db, me.actor, block_id, identity_id)))
