"""Queries on callbacks: an outbox whose rows are taken for an attempt, and go when it is over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eunoe.domain.runs import CalledBack
from eunoe.store.db import Actor, Tx, to_micros

_AT_ONCE: Final = 1_000
_TABLES: Final = {"run": "runs", "job": "batches"}
"""What shows how its attempts went, by the prefix of its id; a request for approval does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """`subject_id` names what has ended; `attempts` counts the one that it was taken for."""

    subject_id: str
    url: str
    attempts: int
    actor: Actor


async def insert(tx: Tx, subject_id: str, url: str, *, at: datetime) -> None:
    """Note that `url` is to be told; belongs into the transaction that ends the subject."""
    await tx.execute(
        "INSERT INTO callbacks (id, organization_id, url, attempts, next_at, created_at)"
        " VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT DO NOTHING",
        subject_id,
        tx.actor.organization_id,
        url,
        to_micros(at),
    )


async def due(tx: Tx, *, now: datetime) -> list[str]:
    """Return the subjects whose next attempt is due, of every organization."""
    rows = await tx.fetch(
        f"SELECT id FROM callbacks WHERE next_at <= $1 ORDER BY next_at, id LIMIT {_AT_ONCE}",
        to_micros(now),
    )
    return [row[0] for row in rows]


async def take(tx: Tx, subject_id: str, *, now: datetime, until: datetime) -> Callback | None:
    """Take a callback for an attempt; nobody else gets it before `until`. Null unless it is due."""
    row = await tx.fetch_one(
        "UPDATE callbacks SET attempts = attempts + 1, next_at = $1 WHERE id = $2"
        " AND next_at <= $3 RETURNING id, url, attempts, organization_id",
        to_micros(until),
        subject_id,
        to_micros(now),
    )
    if row is None:
        return None
    actor = Actor(organization_id=row[3])
    return Callback(subject_id=row[0], url=row[1], attempts=row[2], actor=actor)


async def settle(tx: Tx, subject_id: str, told: CalledBack, *, next_at: datetime | None) -> None:
    """Note what an attempt came to, on the subject too; null ends the attempts."""
    if next_at is None:
        await remove(tx, subject_id)
    else:
        await tx.execute(
            "UPDATE callbacks SET next_at = $1 WHERE id = $2", to_micros(next_at), subject_id
        )
    table = _TABLES.get(subject_id.partition("-")[0])
    if table is None:
        return
    await tx.execute(
        f"UPDATE {table} SET callback_sent_at = $1,"
        " callback_status_code = $2, callback_error = $3 WHERE id = $4 AND organization_id = $5",
        to_micros(told.at),
        told.status_code,
        told.error,
        subject_id,
        tx.actor.organization_id,
    )


async def remove(tx: Tx, subject_id: str) -> None:
    await tx.execute("DELETE FROM callbacks WHERE id = $1", subject_id)
