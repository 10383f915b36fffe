"""Queries on deadlines: a request that nobody answers is decided once, by whoever comes first."""

from datetime import datetime
from typing import Final

from eunoe.domain.call_policies import Deadline
from eunoe.store import codec
from eunoe.store.db import Actor, Tx, from_micros, to_micros

_AT_ONCE: Final = 1_000


async def insert(tx: Tx, request_id: str, agent_id: str, deadline: Deadline) -> None:
    await tx.execute(
        "INSERT INTO deadlines (id, organization_id, agent_id, answers_json, due_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        request_id,
        tx.actor.organization_id,
        agent_id,
        codec.encode(deadline.answers),
        to_micros(deadline.at),
    )


async def due(tx: Tx, *, now: datetime) -> list[str]:
    """Return the requests whose time has come, of every organization."""
    rows = await tx.fetch(
        f"SELECT id FROM deadlines WHERE due_at <= $1 ORDER BY due_at, id LIMIT {_AT_ONCE}",
        to_micros(now),
    )
    return [row[0] for row in rows]


async def get(tx: Tx, request_id: str) -> tuple[Actor, Deadline] | None:
    """Return when and how a request is decided by itself, and for whom; null for never.

    What follows counts for the key that the run which asks was sent with.
    """
    row = await tx.fetch_one(
        "SELECT deadlines.organization_id, answers_json, due_at, runs.key_id FROM deadlines"
        " LEFT JOIN messages ON messages.id = deadlines.id"
        " LEFT JOIN runs ON runs.id = messages.run_id WHERE deadlines.id = $1",
        request_id,
    )
    if row is None:
        return None
    answers = codec.answers.validate_json(row[1])
    actor = Actor(organization_id=row[0], key_id=row[3])
    return actor, Deadline(at=from_micros(row[2]), answers=answers)


async def remove(tx: Tx, request_id: str) -> bool:
    """Forget a deadline; whether there was one."""
    gone = await tx.execute(
        "DELETE FROM deadlines WHERE id = $1 AND organization_id = $2",
        request_id,
        tx.actor.organization_id,
    )
    return bool(gone)
