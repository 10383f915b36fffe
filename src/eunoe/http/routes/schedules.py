"""Schedules: messages that an agent is sent at a time, once or again and again (api 25.1)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.pages import After, rows
from eunoe.http.paths import AgentId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.runs.schedules import announce
from eunoe.service import schedules
from eunoe.store.paging import Page
from eunoe.wire.schedules import (
    ScheduleCreated,
    ScheduleDeleted,
    ScheduledMessage,
    ScheduleList,
    ScheduleRequest,
    created,
    shown,
)

of_agent = v1("/agents", tag="schedules")

_SHOWN = 50


@of_agent.post(
    "/{agent_id}/schedule",
    **answers("scheduledMessages.scheduleAgentMessage", ScheduleCreated, status=201),
)
async def create(agent_id: AgentId, body: ScheduleRequest, me: Me) -> Response:
    """Have messages sent later: once, or whenever a cron expression says so."""
    if body.override_model is not None:
        await me.models.resolve(body.override_model)
    ask, now = await body.ask(fetch=me.runtime.images), datetime.now(UTC)
    made = await schedules.create(me.db, me.actor, agent_id, when=body.when(), ask=ask, now=now)
    await announce(me.runtime.runner, made.id, made.next_at, now=now)
    return JsonReply(created(made), status=201)


@of_agent.get(
    "/{agent_id}/schedule", **answers("scheduledMessages.listScheduledMessages", ScheduleList)
)
async def list_of_agent(
    agent_id: AgentId,
    me: Me,
    limit: Annotated[int | None, Query(ge=0)] = _SHOWN,
    after: After = None,
) -> Response:
    """List an agent's schedules, the newest first; one-time ones stay for a month."""
    wanted = rows(limit, default=_SHOWN)
    page = Page(limit=wanted + 1, after=after)
    found = await schedules.list_schedules(me.db, me.actor, agent_id, page)
    body: ScheduleList = {
        "has_next_page": len(found) > wanted,
        "scheduled_messages": [shown(one) for one in found[:wanted]],
    }
    return JsonReply(body)


@of_agent.get(
    "/{agent_id}/schedule/{scheduled_message_id}",
    **answers("scheduledMessages.retrieveScheduledMessage", ScheduledMessage),
)
async def retrieve(agent_id: AgentId, scheduled_message_id: str, me: Me) -> Response:
    """Get a schedule: what it sends, when next, and the run it made last."""
    return JsonReply(shown(await schedules.get(me.db, me.actor, agent_id, scheduled_message_id)))


@of_agent.delete(
    "/{agent_id}/schedule/{scheduled_message_id}",
    **answers("scheduledMessages.deleteScheduledMessage", ScheduleDeleted),
)
async def delete(agent_id: AgentId, scheduled_message_id: str, me: Me) -> Response:
    """Remove a schedule; a run that it has begun goes on."""
    await schedules.delete(me.db, me.actor, agent_id, scheduled_message_id)
    gone: ScheduleDeleted = {"success": True}
    return JsonReply(gone)
