"""An agent's archival memory, and the search of passages everywhere (api 14.4, 14.5)."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.domain.passages import PassageVersion
from eunoe.domain.recall import PassageQuery, TagMatch
from eunoe.http.deps import Me, given
from eunoe.http.pages import After, Before, Limit, page_of, rows
from eunoe.http.paths import AgentId, PassageId, well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import archives, states
from eunoe.store import passages
from eunoe.store.paging import Page
from eunoe.store.passages import PassageFilter
from eunoe.wire.passages import (
    ArchivalMemorySearchResponse,
    CreateMemoryBody,
    Passage,
    PassageSearchResult,
    SearchPassagesBody,
    hit,
    memories,
    passage,
    version,
)
from eunoe.wire.shape import distinct

router = v1("/passages", tag="passages")
of_agent = v1("/agents", tag="agents")

DEFAULT_TOP_K: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search of an agent's archive; the times are ISO 8601, as M24 reads them."""

    query: str
    tags: Annotated[list[str] | None, Query()] = None
    tag_match_mode: TagMatch = "any"
    top_k: Annotated[int | None, Query(ge=1, le=1_000)] = None
    start_datetime: str | None = None
    end_datetime: str | None = None


async def _page(
    limit: Limit = 100, before: Before = None, after: After = None, *, ascending: bool = True
) -> Page:
    return Page(limit=rows(limit, default=100), before=before, after=after, ascending=ascending)


@router.post("/search", **answers("search_passages", list[PassageSearchResult]))
async def search(body: SearchPassagesBody, me: Me) -> Response:
    """Search an agent's archive, one archive, or all, by words and meaning, without vectors."""
    found = await archives.find(
        me.db,
        me.actor,
        body.asked(),
        agent_id=body.agent_id,
        models=me.models,
        defaults=me.defaults,
    )
    return JsonReply([hit(one, organization_id=me.organization_id) for one in found])


@router.get("/{passage_id}/history", **answers("list_passage_history", list[PassageVersion]))
async def list_history(
    passage_id: PassageId, me: Me, page: Annotated[Page, Depends(page_of(limit=50, order="asc"))]
) -> Response:
    """List what became of the passage: by whom, in which run, and when, also once it is gone."""
    found = await archives.history(me.db, me.actor, passage_id, page)
    return JsonReply([version(one) for one in found])


@of_agent.post("/{agent_id}/archival-memory", **answers("create_passage", list[Passage]))
async def create(agent_id: AgentId, body: CreateMemoryBody, me: Me) -> Response:
    """Keep a text in the agent's archive, which is made on first use."""
    made = await archives.remember(me.db, me.actor, agent_id, body.draft(), models=me.models)
    return JsonReply([passage(made, organization_id=me.organization_id)])


@of_agent.get("/{agent_id}/archival-memory", **answers("list_passages", list[Passage]))
async def list_all(
    agent_id: AgentId,
    me: Me,
    page: Annotated[Page, Depends(_page)],
    search: Annotated[str | None, Query(description="A part of the text.")] = None,
) -> Response:
    """List the passages in the agent's archive, the oldest first; vectors are left out."""
    async with me.read() as tx:
        await states.known(tx, agent_id)
        where = PassageFilter(agent_id=agent_id, search=search or None)
        found = await passages.list_passages(tx, where, page)
    return JsonReply([passage(one, organization_id=me.organization_id) for one in found])


@of_agent.get(
    "/{agent_id}/archival-memory/search",
    **answers("search_archival_memory", ArchivalMemorySearchResponse),
)
async def recall(
    agent_id: AgentId, me: Me, asked: Annotated[Asked, Depends(given(Asked))]
) -> Response:
    """Search the agent's archive by words and meaning."""
    found = await archives.recall(
        me.db,
        me.actor,
        agent_id,
        PassageQuery(
            text=asked.query,
            tags=distinct(asked.tags),
            tag_match=asked.tag_match_mode,
            limit=asked.top_k or DEFAULT_TOP_K,
        ),
        start=asked.start_datetime,
        end=asked.end_datetime,
        models=me.models,
    )
    return JsonReply(memories(found.hits, timezone=found.timezone))


@of_agent.delete("/{agent_id}/archival-memory/{memory_id}", operation_id="delete_passage")
async def delete(agent_id: AgentId, memory_id: str, me: Me) -> Response:
    """Delete a passage of the agent's archive; what opens one agent opens no other's (14.4)."""
    well_formed(memory_id, "passage")
    await archives.forget_of_agent(me.db, me.actor, agent_id, memory_id)
    return JsonReply({"message": f"The passage {memory_id} was deleted."})
