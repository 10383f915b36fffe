"""Archives, the passages in them, and which one an agent has (api 6.70, 14.1, 14.3)."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from eunoe.http.callers import RelationsDep
from eunoe.http.deps import Me
from eunoe.http.pages import page_of
from eunoe.http.paths import AgentId, ArchiveId, PassageId, well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import agents, archives, states
from eunoe.store import archives as stored
from eunoe.store.agents import AgentFilter
from eunoe.store.archives import ArchiveFilter
from eunoe.store.paging import Page
from eunoe.wire.agents import AgentState, listed
from eunoe.wire.archives import Archive, CreateArchiveBody, UpdateArchiveBody, archive
from eunoe.wire.passages import CreatePassageBody, CreatePassagesBody, Passage, passage

router = v1("/archives", tag="archives")
of_agent = v1("/agents", tag="agents")

Newest = Annotated[Page, Depends(page_of(limit=50, order="desc"))]


@router.post("/", **answers("create_archive", Archive))
async def create(body: CreateArchiveBody, me: Me) -> Response:
    made = await archives.create(
        me.db,
        me.actor,
        name=body.name,
        description=body.description,
        embedding=body.embedding_handle(),
        models=me.models,
        defaults=me.defaults,
    )
    return JsonReply(archive(made, organization_id=me.organization_id))


@router.get("/", **answers("list_archives", list[Archive]))
async def list_all(
    me: Me, page: Newest, name: str | None = None, agent_id: str | None = None
) -> Response:
    """List archives, the newest first."""
    async with me.read() as tx:
        if agent_id is not None:
            await states.known(tx, agent_id)
        where = ArchiveFilter(name=name, agent_id=agent_id)
        found = await stored.list_archives(tx, where, page)
    return JsonReply([archive(one, organization_id=me.organization_id) for one in found])


@router.get("/{archive_id}", **answers("retrieve_archive", Archive))
async def retrieve(archive_id: ArchiveId, me: Me) -> Response:
    async with me.read() as tx:
        found = await archives.known(tx, archive_id)
    return JsonReply(archive(found, organization_id=me.organization_id))


@router.patch("/{archive_id}", **answers("modify_archive", Archive))
async def update(archive_id: ArchiveId, body: UpdateArchiveBody, me: Me) -> Response:
    changed = await archives.update(
        me.db, me.actor, archive_id, name=body.name, description=body.description
    )
    return JsonReply(archive(changed, organization_id=me.organization_id))


@router.delete("/{archive_id}", operation_id="delete_archive", status_code=204)
async def delete(archive_id: ArchiveId, me: Me) -> Response:
    """Delete an archive with its passages."""
    await archives.delete(me.db, me.actor, archive_id)
    return Response(status_code=204)


@router.get("/{archive_id}/agents", **answers("list_agents_for_archive", list[AgentState]))
async def list_agents(
    archive_id: ArchiveId, me: Me, wanted: RelationsDep, page: Newest
) -> Response:
    """List the agents that have the archive; an unknown one has none."""
    where = AgentFilter(archive_id=archive_id, show_hidden=True)
    found = await agents.list_agents(me.db, me.actor, where, page, include=wanted)
    return JsonReply(listed(found))


@router.post("/{archive_id}/passages", **answers("create_passage_in_archive", Passage))
async def create_passage(archive_id: ArchiveId, body: CreatePassageBody, me: Me) -> Response:
    """Keep a text in the archive."""
    made = await archives.add(me.db, me.actor, archive_id, [body.draft()], models=me.models)
    return JsonReply(passage(made[0], organization_id=me.organization_id))


@router.post("/{archive_id}/passages/batch", **answers("create_passages_in_archive", list[Passage]))
async def create_passages(archive_id: ArchiveId, body: CreatePassagesBody, me: Me) -> Response:
    """Keep several texts in the archive, all or none."""
    drafts = [one.draft() for one in body.passages]
    made = await archives.add(me.db, me.actor, archive_id, drafts, models=me.models)
    return JsonReply([passage(one, organization_id=me.organization_id) for one in made])


@router.delete(
    "/{archive_id}/passages/{passage_id}",
    operation_id="delete_passage_from_archive",
    status_code=204,
)
async def delete_passage(archive_id: ArchiveId, passage_id: PassageId, me: Me) -> Response:
    await archives.forget(me.db, me.actor, passage_id, archive_id=archive_id)
    return Response(status_code=204)


# On an agent


@of_agent.patch("/{agent_id}/archives/attach/{archive_id}", operation_id="attach_archive_to_agent")
async def attach(agent_id: AgentId, archive_id: str, me: Me) -> Response:
    """Give the agent an archive; it can have one."""
    well_formed(archive_id, "archive")
    await archives.attach(me.db, me.actor, agent_id, archive_id)
    return JsonReply(None)


@of_agent.patch(
    "/{agent_id}/archives/detach/{archive_id}", operation_id="detach_archive_from_agent"
)
async def detach(agent_id: AgentId, archive_id: str, me: Me) -> Response:
    """Take an archive off the agent; the archive stays."""
    well_formed(archive_id, "archive")
    await archives.detach(me.db, me.actor, agent_id, archive_id)
    return JsonReply(None)
