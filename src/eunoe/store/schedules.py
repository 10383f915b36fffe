"""Queries on schedules: each time they are due is taken once, by whoever makes its run."""

from datetime import datetime
from typing import Final

from eunoe.domain.schedules import Once, Recurring, Schedule
from eunoe.store import codec, own
from eunoe.store.db import Actor, Row, Tx, from_micros, optional_micros, to_micros
from eunoe.store.mapping import MADE, TIME, json, mapped
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_SCHEDULES: Final = mapped(
    Schedule,
    "schedules",
    noun="schedule",
    kept={**MADE, "ask": json(codec.ask.validate_json), "next_at": TIME, "last_at": TIME},
    without=("when",),
)
_COLUMNS: Final = f"{_SCHEDULES.columns}, schedules.once_at, schedules.cron, schedules.timezone"
_LISTING: Final = Listing(noun="schedule", table="schedules", columns=_COLUMNS)
_AT_ONCE: Final = 1_000

Due = tuple[str, datetime]
"""A schedule and one of its times."""


async def insert(tx: Tx, one: Schedule) -> None:
    """Store a new schedule; raise `ReferenceMissing` for an unknown agent."""
    once = one.when.at if isinstance(one.when, Once) else None
    recurring = one.when if isinstance(one.when, Recurring) else None
    await own.insert(
        tx,
        _SCHEDULES,
        one,
        user_id=tx.actor.user_id,
        key_id=tx.actor.key_id,
        once_at=optional_micros(once),
        cron=None if recurring is None else recurring.cron,
        timezone=None if recurring is None else recurring.timezone,
    )


async def get(tx: Tx, schedule_id: str, *, agent_id: str) -> Schedule | None:
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM schedules WHERE id = $1 AND agent_id = $2"
        " AND organization_id = $3",
        schedule_id,
        agent_id,
        tx.actor.organization_id,
    )
    return None if row is None else _read(tx, row)


async def list_schedules(tx: Tx, agent_id: str, page: Page) -> list[Schedule]:
    where = of_organization(tx, "schedules").linked("schedules.agent_id = {}", agent_id)
    return [_read(tx, row) for row in await listing(tx, _LISTING, where, page)]


async def delete(tx: Tx, schedule_id: str, *, agent_id: str) -> bool:
    return bool(
        await tx.execute(
            "DELETE FROM schedules WHERE id = $1 AND agent_id = $2 AND organization_id = $3",
            schedule_id,
            agent_id,
            tx.actor.organization_id,
        )
    )


async def count(tx: Tx, agent_id: str) -> int:
    """Return how many of the agent's schedules are not over."""
    found: int = await tx.fetch_value(
        "SELECT COUNT(*) FROM schedules WHERE agent_id = $1 AND next_at IS NOT NULL", agent_id
    )
    return found


async def prune(tx: Tx, agent_id: str, *, ended_before: datetime) -> None:
    """Forget the agent's schedules that are over since before then."""
    await tx.execute(
        "DELETE FROM schedules WHERE agent_id = $1 AND next_at IS NULL AND last_at < $2",
        agent_id,
        to_micros(ended_before),
    )


async def due(tx: Tx, *, now: datetime) -> list[Due]:
    """Return what is due, of every organization, the longest overdue first."""
    rows = await tx.fetch(
        "SELECT id, next_at FROM schedules WHERE next_at <= $1 ORDER BY next_at, id"
        f" LIMIT {_AT_ONCE}",
        to_micros(now),
    )
    return [(row[0], from_micros(row[1])) for row in rows]


async def due_at(tx: Tx, schedule_id: str, at: datetime) -> tuple[Schedule, Actor] | None:
    """Return a schedule, of whatever organization, and for whom it is; null unless due then."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS}, organization_id, user_id, key_id FROM schedules"
        " WHERE id = $1 AND next_at = $2",
        schedule_id,
        to_micros(at),
    )
    if row is None:
        return None
    return _read(tx, row), Actor(organization_id=row[-3], user_id=row[-2], key_id=row[-1])


async def take(
    tx: Tx, schedule_id: str, at: datetime, *, run_id: str, now: datetime, then: datetime | None
) -> bool:
    """Take one time of the schedule for a run; it is due next `then`. False where it was taken."""
    return bool(
        await tx.execute(
            "UPDATE schedules SET next_at = $1, last_at = $2, last_run_id = $3"
            " WHERE id = $4 AND next_at = $5",
            optional_micros(then),
            to_micros(now),
            run_id,
            schedule_id,
            to_micros(at),
        )
    )


def _read(tx: Tx, row: Row) -> Schedule:
    """Read a row that begins with `_COLUMNS`."""
    place = len(_SCHEDULES.fields)
    once_at, cron, timezone = row[place : place + 3]
    once = None if once_at is None else Once(at=from_micros(once_at))
    return _SCHEDULES.read(tx, row, when=once or Recurring(cron=cron, timezone=timezone))
