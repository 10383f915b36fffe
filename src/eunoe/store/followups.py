"""Queries on follow-ups: written where their cause ends, taken once, by whoever begins them."""

from collections.abc import Sequence
from typing import Final

from eunoe.domain.followups import FollowUp
from eunoe.store import codec, own
from eunoe.store.db import Actor, Tx
from eunoe.store.mapping import MADE, json, mapped

_FOLLOW_UPS: Final = mapped(
    FollowUp,
    "follow_ups",
    noun="follow-up",
    kept={**MADE, "options": json(codec.run_options.validate_json)},
)


async def insert(tx: Tx, due: Sequence[FollowUp]) -> None:
    """Store what is to follow; raise `UniqueViolated` for a second one of a cause and an agent."""
    await own.insert_many(tx, _FOLLOW_UPS, due, user_id=tx.actor.user_id)


async def pending(tx: Tx) -> list[str]:
    """Return the ids of the runs that are not begun yet, of every organization, oldest first."""
    rows = await tx.fetch("SELECT run_id FROM follow_ups ORDER BY created_at, run_id")
    return [row[0] for row in rows]


async def actor_of(tx: Tx, run_id: str) -> Actor | None:
    """Return for whom the run is to be begun, of whatever organization; null where it has been."""
    row = await tx.fetch_one(
        "SELECT organization_id, user_id, (SELECT key_id FROM runs WHERE id = cause_run_id)"
        " FROM follow_ups WHERE run_id = $1",
        run_id,
    )
    return None if row is None else Actor(organization_id=row[0], user_id=row[1], key_id=row[2])


async def get(tx: Tx, run_id: str) -> FollowUp | None:
    """Return the plan of a run that waits to begin, null where there is none."""
    tail = "WHERE run_id = $1 AND organization_id = $2"
    return await own.first(tx, _FOLLOW_UPS, tail, run_id, tx.actor.organization_id)


async def take(tx: Tx, run_id: str) -> FollowUp | None:
    """Take the plan away, for the transaction that begins the run; null where it was taken."""
    row = await tx.fetch_one(
        f"DELETE FROM follow_ups WHERE run_id = $1 RETURNING {_FOLLOW_UPS.columns}", run_id
    )
    return None if row is None else _FOLLOW_UPS.read(tx, row)
