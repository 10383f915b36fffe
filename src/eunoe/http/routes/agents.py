"""Agents: made, found, changed, removed; their prompt and window (api 6)."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.domain.alike import alike
from eunoe.domain.runs import StopReason
from eunoe.errors import Missing
from eunoe.http.callers import RelationsDep
from eunoe.http.deps import Me, given
from eunoe.http.pages import After, Before, Limit, Order, rows
from eunoe.http.paths import AgentId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import agents, places, templates, windows
from eunoe.service.places import Place
from eunoe.store import agents as stored
from eunoe.store.agents import AgentFilter
from eunoe.store.paging import Page
from eunoe.wire.agent_requests import CreateAgentBody, UpdateAgentBody
from eunoe.wire.agents import AgentState, listed, memory, state
from eunoe.wire.conversations import CompactionResponse
from eunoe.wire.overviews import CompactBody, ResetBody, context_window
from eunoe.wire.shape import distinct

router = v1("/agents", tag="agents")

SortField = Literal["created_at", "updated_at", "last_run_completion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which agents are wanted (api 6.4)."""

    name: str | None = None
    query_text: str | None = None
    tags: Annotated[list[str] | None, Query()] = None
    match_all_tags: bool = False
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    created_by_id: str | None = None
    last_stop_reason: StopReason | None = None
    identity_id: str | None = None
    identifier_keys: Annotated[list[str] | None, Query()] = None
    show_hidden_agents: Annotated[bool | None, Query(include_in_schema=False)] = None

    def where(self) -> AgentFilter:
        return alike(
            AgentFilter,
            self,
            tags=distinct(self.tags),
            identifier_keys=tuple(self.identifier_keys or ()),
            show_hidden=bool(self.show_hidden_agents),
        )


async def _page(
    limit: Limit = 50,
    before: Before = None,
    after: After = None,
    order: Order | None = None,
    order_by: SortField | None = None,
    *,
    ascending: Annotated[bool, Query(deprecated=True)] = False,
    sort_by: Annotated[SortField | None, Query(deprecated=True)] = None,
) -> Page:
    """Read the page; `order` and `order_by` win over their deprecated forms (6.4)."""
    return Page(
        limit=rows(limit, default=50),
        before=before,
        after=after,
        ascending=ascending if order is None else order == "asc",
        order_by=order_by or sort_by or "created_at",
    )


@router.get("/", **answers("list_agents", list[AgentState]))
async def list_all(
    me: Me,
    wanted: RelationsDep,
    asked: Annotated[Asked, Depends(given(Asked))],
    page: Annotated[Page, Depends(_page)],
) -> Response:
    """List agents, the newest first; relations are empty unless they are asked for."""
    found = await agents.list_agents(me.db, me.actor, asked.where(), page, include=wanted)
    return JsonReply(listed(found))


@router.get("/count", **answers("count_agents", int))
async def count(me: Me, asked: Annotated[Asked, Depends(given(Asked))]) -> Response:
    """Count agents; hidden ones are left out."""
    async with me.read() as tx:
        return JsonReply(await stored.count(tx, asked.where()))


@router.post("/", **answers("create_agent", AgentState))
async def create(body: CreateAgentBody, me: Me) -> Response:
    """Make an agent with its blocks, tools and first messages, or one of a template."""
    if body.from_template is not None:
        instance = await body.instance(fetch=me.runtime.images)
        made = await templates.make_agent(
            me.db, me.actor, body.from_template, instance, models=me.models
        )
        return JsonReply(state(made))
    draft = await body.draft(fetch=me.runtime.images)
    made = await agents.create(me.db, me.actor, draft, models=me.models, defaults=me.defaults)
    return JsonReply(state(made))


@router.get("/{agent_id}", **answers("retrieve_agent", AgentState))
async def retrieve(agent_id: AgentId, me: Me, wanted: RelationsDep) -> Response:
    return JsonReply(state(await agents.get(me.db, me.actor, agent_id, include=wanted)))


@router.patch("/{agent_id}", **answers("modify_agent", AgentState))
async def update(agent_id: AgentId, body: UpdateAgentBody, me: Me) -> Response:
    """Change an agent; what changes its prompt shows from its next turn on."""
    changed = await agents.update(me.db, me.actor, agent_id, body.patch(), models=me.models)
    return JsonReply(state(changed))


@router.delete("/{agent_id}", operation_id="delete_agent")
async def delete(agent_id: AgentId, me: Me) -> Response:
    """Delete an agent with its messages and runs; its blocks, tools and archives stay."""
    await agents.delete(me.db, me.actor, agent_id)
    me.runtime.agent_types.pop((me.organization_id, agent_id), None)
    return JsonReply({"message": f"The agent {agent_id} was deleted."})


@router.get("/{agent_id}/core-memory", operation_id="retrieve_agent_memory", deprecated=True)
async def retrieve_memory(agent_id: AgentId, me: Me) -> Response:
    """Get the agent's blocks as one memory object."""
    found = await agents.get(me.db, me.actor, agent_id, include={"blocks"})
    return JsonReply(memory(found))


@router.get("/{agent_id}/context", **answers("retrieve_agent_context_window", dict[str, Any]))
async def retrieve_context(
    agent_id: AgentId, me: Me, conversation_id: str | None = None
) -> Response:
    """Get what fills the agent's context window, part by part."""
    place = await places.at(me.db, me.actor, conversation_id or agent_id, agent_id=agent_id)
    if place.agent_id != agent_id:
        raise Missing(f"The agent {agent_id} has no conversation {conversation_id}.")
    place = await places.with_model(place, models=me.models)
    return JsonReply(context_window(await windows.context(me.db, me.actor, place)))


@router.post("/{agent_id}/recompile", **answers("recompile_agent", str))
@router.post(
    "/{agent_id}/system-prompt/recompile",
    deprecated=True,
    **answers("recompile_agent_system_prompt", str),
)
async def recompile(
    agent_id: AgentId, me: Me, update_timestamp: bool = False, dry_run: bool = False
) -> Response:
    """Build the system message anew and get its text."""
    text = await windows.recompile(
        me.db,
        me.actor,
        Place(agent_id=agent_id),
        update_timestamp=update_timestamp,
        dry_run=dry_run,
    )
    return JsonReply(text)


@router.patch("/{agent_id}/reset-messages", **answers("reset_messages", AgentState))
async def reset_messages(agent_id: AgentId, body: ResetBody, me: Me) -> Response:
    """Shrink the window to the system message; what was said stays stored."""
    found = await windows.reset(
        me.db, me.actor, agent_id, add_default_messages=body.add_default_initial_messages
    )
    return JsonReply(state(found))


@router.post("/{agent_id}/summarize", **answers("summarize_messages", CompactionResponse))
async def summarise(agent_id: AgentId, me: Me, body: CompactBody | None = None) -> Response:
    """Put a summary in the place of what was said so far."""
    done = await windows.summarise(
        me.db,
        me.actor,
        Place(agent_id=agent_id),
        None if body is None else body.patch(),
        models=me.models,
    )
    return JsonReply(
        {
            "summary": done.summary or "",  # The clients take no null here.
            "num_messages_before": done.before,
            "num_messages_after": done.after,
        }
    )
