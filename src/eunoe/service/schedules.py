"""Schedules: made, found, listed, removed (api 25.1)."""

from datetime import datetime

from eunoe import ids
from eunoe.domain.inputs import Ask
from eunoe.domain.schedules import KEPT, MOST, Schedule, When, first_time
from eunoe.errors import Missing, TooManySchedules
from eunoe.service import states
from eunoe.store import schedules
from eunoe.store.db import Actor, Database
from eunoe.store.paging import Page


async def create(
    db: Database, actor: Actor, agent_id: str, *, when: When, ask: Ask, now: datetime
) -> Schedule:
    """Store a schedule; raise what `first_time` does, `Missing`, or `TooManySchedules`."""
    made = Schedule(
        id=ids.new("schedule"),
        agent_id=agent_id,
        when=when,
        ask=ask,
        next_at=first_time(when, now=now),
        created_at=now,
    )
    async with db.write(actor) as tx:
        await states.known(tx, agent_id, held=True)
        await schedules.prune(tx, agent_id, ended_before=now - KEPT)
        if await schedules.count(tx, agent_id) >= MOST:
            raise TooManySchedules
        await schedules.insert(tx, made)
    return made


async def get(db: Database, actor: Actor, agent_id: str, schedule_id: str) -> Schedule:
    async with db.read(actor) as tx:
        found = await schedules.get(tx, schedule_id, agent_id=agent_id)
    if found is None:
        raise Missing(f"The agent {agent_id} has no schedule {schedule_id[:80]}.")
    return found


async def list_schedules(db: Database, actor: Actor, agent_id: str, page: Page) -> list[Schedule]:
    async with db.read(actor) as tx:
        await states.known(tx, agent_id)
        return await schedules.list_schedules(tx, agent_id, page)


async def delete(db: Database, actor: Actor, agent_id: str, schedule_id: str) -> None:
    """Remove a schedule; what it has sent already goes on."""
    async with db.write(actor) as tx:
        if not await schedules.delete(tx, schedule_id, agent_id=agent_id):
            raise Missing(f"The agent {agent_id} has no schedule {schedule_id[:80]}.")
