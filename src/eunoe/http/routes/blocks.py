"""Memory blocks, by themselves and on an agent (api 6.60, 12)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from pydantic import Field
from starlette.responses import Response

from eunoe.domain.alike import alike
from eunoe.http.callers import RelationsDep
from eunoe.http.deps import Me, given
from eunoe.http.pages import page_of
from eunoe.http.paths import AgentId, BlockId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.ids import pattern
from eunoe.service import blocks
from eunoe.store import blocks as stored
from eunoe.store.blocks import BlockFilter
from eunoe.store.paging import Page
from eunoe.wire.agents import AgentState, listed, state
from eunoe.wire.blocks import (
    BlockDiff,
    BlockResponse,
    BlockVersionResponse,
    CreateBlockBody,
    RevertBlockBody,
    UpdateBlockBody,
    block,
    version,
)
from eunoe.wire.shape import distinct

router = v1("/blocks", tag="blocks")
of_agent = v1("/agents", tag="agents")

Text = Annotated[str | None, Query(max_length=200)]
Version = Annotated[int, Field(ge=1, le=2**53)]
Count = Annotated[int, Field(ge=-(2**62), le=2**62)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Which blocks are counted (12.2.6). `name` is the template's name."""

    label: str | None = None
    templates_only: bool = False
    name: str | None = None
    tags: Annotated[list[str] | None, Query()] = None
    match_all_tags: bool = False
    project_id: str | None = None

    def where(self) -> BlockFilter:
        """Return the filter; without any, everything counts, hidden blocks and templates too."""
        asked = (self.label, self.name, self.tags, self.project_id)
        narrowed = self.templates_only or any(one is not None for one in asked)
        return alike(
            BlockFilter,
            self,
            tags=distinct(self.tags),
            templates_only=self.templates_only if narrowed else None,
            show_hidden=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which blocks are wanted (12.2)."""

    label: str | None = None
    label_search: Text = None
    templates_only: bool = False
    name: str | None = None
    value_search: Text = None
    description_search: Text = None
    tags: Annotated[list[str] | None, Query()] = None
    match_all_tags: bool = False
    project_id: str | None = None
    identity_id: Annotated[str | None, Query(pattern=pattern("identity"))] = None
    identifier_keys: Annotated[list[str] | None, Query()] = None
    connected_to_agents_count_gt: Count | None = None
    connected_to_agents_count_lt: Count | None = None
    connected_to_agents_count_eq: Annotated[list[Count] | None, Query()] = None
    show_hidden_blocks: Annotated[bool | None, Query(include_in_schema=False)] = None

    def where(self) -> BlockFilter:
        return alike(
            BlockFilter,
            self,
            tags=distinct(self.tags),
            connected_gt=self.connected_to_agents_count_gt,
            connected_lt=self.connected_to_agents_count_lt,
            connected_eq=tuple(self.connected_to_agents_count_eq or ()),
            identifier_keys=tuple(self.identifier_keys or ()),
            show_hidden=bool(self.show_hidden_blocks),
        )


@router.get("/", **answers("list_blocks", list[BlockResponse]))
async def list_all(
    me: Me,
    asked: Annotated[Asked, Depends(given(Asked))],
    page: Annotated[Page, Depends(page_of(limit=50, order="asc"))],
) -> Response:
    """List blocks, the oldest first."""
    async with me.read() as tx:
        found = await stored.list_blocks(tx, asked.where(), page)
    return JsonReply([block(one) for one in found])


@router.get("/count", **answers("count_blocks", int))
async def count(me: Me, asked: Annotated[Counted, Depends(given(Counted))]) -> Response:
    async with me.read() as tx:
        return JsonReply(await stored.count(tx, asked.where()))


@router.post("/", **answers("create_block", BlockResponse))
async def create(body: CreateBlockBody, me: Me) -> Response:
    return JsonReply(block(await blocks.create(me.db, me.actor, body.draft())))


@router.get("/{block_id}", **answers("retrieve_block", BlockResponse))
async def retrieve(block_id: BlockId, me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(block(await blocks.known(tx, block_id)))


@router.patch("/{block_id}", **answers("modify_block", BlockResponse))
async def update(block_id: BlockId, body: UpdateBlockBody, me: Me) -> Response:
    """Change a block for every agent that has it."""
    return JsonReply(block(await blocks.update(me.db, me.actor, block_id, body.patch())))


@router.delete("/{block_id}", operation_id="delete_block")
async def delete(block_id: BlockId, me: Me) -> Response:
    """Delete a block; it leaves every agent that has it."""
    await blocks.delete(me.db, me.actor, block_id)
    return JsonReply(None)


@router.get("/{block_id}/history", **answers("list_block_history", list[BlockVersionResponse]))
async def list_history(
    block_id: BlockId, me: Me, page: Annotated[Page, Depends(page_of(limit=50, order="asc"))]
) -> Response:
    """List what the block has been, oldest first: by whom, in which run, and when."""
    found = await blocks.history(me.db, me.actor, block_id, page)
    return JsonReply([version(one) for one in found])


@router.get("/{block_id}/diff", **answers("diff_block", BlockDiff))
async def diff(
    block_id: BlockId,
    me: Me,
    since: Annotated[Version | None, Query(alias="from")] = None,
    until: Annotated[Version | None, Query(alias="to")] = None,
) -> Response:
    """Show how the block changed between two versions; the newest change if none is named."""
    found = await blocks.diff(me.db, me.actor, block_id, since=since, until=until)
    shown: BlockDiff = {"diff": found}
    return JsonReply(shown)


@router.post("/{block_id}/revert", **answers("revert_block", BlockResponse))
async def revert(block_id: BlockId, body: RevertBlockBody, me: Me) -> Response:
    """Make the block what it was at a version, as a new version."""
    reverted = await blocks.revert(
        me.db, me.actor, block_id, version=body.version, expected_version=body.expected_version
    )
    return JsonReply(block(reverted))


@router.get("/{block_id}/agents", **answers("list_agents_for_block", list[AgentState]))
async def list_agents(
    block_id: BlockId,
    me: Me,
    wanted: RelationsDep,
    page: Annotated[Page, Depends(page_of(limit=50, order="desc"))],
) -> Response:
    """List the agents that have the block."""
    found = await blocks.agents_of(me.db, me.actor, block_id, page, include=wanted)
    return JsonReply(listed(found))


# On an agent


@of_agent.get(
    "/{agent_id}/core-memory/blocks", **answers("list_core_memory_blocks", list[BlockResponse])
)
@of_agent.get("/{agent_id}/core-memory/blocks/", include_in_schema=False)
async def list_attached(
    agent_id: AgentId, me: Me, page: Annotated[Page, Depends(page_of(limit=100, order="desc"))]
) -> Response:
    """List the agent's blocks."""
    found = await blocks.of_agent(me.db, me.actor, agent_id, page)
    return JsonReply([block(one) for one in found])


@of_agent.patch(
    "/{agent_id}/core-memory/blocks/attach/{block_id}",
    **answers("attach_core_memory_block", AgentState),
)
async def attach(agent_id: AgentId, block_id: BlockId, me: Me) -> Response:
    """Give the agent a block."""
    return JsonReply(state(await blocks.attach(me.db, me.actor, agent_id, block_id)))


@of_agent.patch(
    "/{agent_id}/core-memory/blocks/detach/{block_id}",
    **answers("detach_core_memory_block", AgentState),
)
async def detach(agent_id: AgentId, block_id: BlockId, me: Me) -> Response:
    """Take a block off the agent; the block stays."""
    return JsonReply(state(await blocks.detach(me.db, me.actor, agent_id, block_id)))


# A label may hold slashes, so these two come after every path that they would swallow.


@of_agent.get(
    "/{agent_id}/core-memory/blocks/{block_label:path}",
    **answers("retrieve_core_memory_block", BlockResponse),
)
async def retrieve_labelled(agent_id: AgentId, block_label: str, me: Me) -> Response:
    """Get the agent's block with this label."""
    return JsonReply(block(await blocks.labelled(me.db, me.actor, agent_id, block_label)))


@of_agent.patch(
    "/{agent_id}/core-memory/blocks/{block_label:path}",
    **answers("modify_core_memory_block", BlockResponse),
)
async def update_labelled(
    agent_id: AgentId, block_label: str, body: UpdateBlockBody, me: Me
) -> Response:
    """Change the agent's block with this label, for every agent that has it."""
    changed = await blocks.update_labelled(me.db, me.actor, agent_id, block_label, body.patch())
    return JsonReply(block(changed))
