"""Queries on follow-ups: written where their cause ends, taken once, by whoever begins them."""

from collections.abc import Sequence
from typing import Final

from eunoe.domain.followups import FollowUp
from eunoe.store import codec
from eunoe.store.db import Actor, Row, Tx, from_micros, to_micros

_COLUMNS: Final = (
    "run_id, cause_run_id, group_id, agent_id, after_message_id, upto_message_id, options_json,"
    " created_at"
)


async def insert(tx: Tx, due: Sequence[FollowUp]) -> None:
    """Store what is to follow; raise `UniqueViolated` for a second one of a cause and an agent."""
    await tx.execute_many(
        "INSERT INTO follow_ups (run_id, organization_id, user_id, cause_run_id, group_id,"
        " agent_id, after_message_id, upto_message_id, options_json, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            (
                one.run_id,
                tx.actor.organization_id,
                tx.actor.user_id,
                one.cause_run_id,
                one.group_id,
                one.agent_id,
                one.after_message_id,
                one.upto_message_id,
                codec.encode(one.options),
                to_micros(one.created_at),
            )
            for one in due
        ],
    )


async def pending(tx: Tx) -> list[str]:
    """Return the ids of the runs that are not begun yet, of every organization, oldest first."""
    rows = await tx.fetch("SELECT run_id FROM follow_ups ORDER BY created_at, run_id")
    return [row[0] for row in rows]


async def actor_of(tx: Tx, run_id: str) -> Actor | None:
    """Return for whom the run is to be begun, of whatever organization; null where it has been."""
    row = await tx.fetch_one(
        "SELECT organization_id, user_id FROM follow_ups WHERE run_id = $1", run_id
    )
    return None if row is None else Actor(organization_id=row[0], user_id=row[1])


async def get(tx: Tx, run_id: str) -> FollowUp | None:
    """Return the plan of a run that waits to begin, null where there is none."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM follow_ups WHERE run_id = $1 AND organization_id = $2",
        run_id,
        tx.actor.organization_id,
    )
    return None if row is None else _read(row)


async def take(tx: Tx, run_id: str) -> FollowUp | None:
    """Take the plan away, for the transaction that begins the run; null where it was taken."""
    row = await tx.fetch_one(
        f"DELETE FROM follow_ups WHERE run_id = $1 RETURNING {_COLUMNS}", run_id
    )
    return None if row is None else _read(row)


def _read(row: Row) -> FollowUp:
    return FollowUp(
        run_id=row[0],
        cause_run_id=row[1],
        group_id=row[2],
        agent_id=row[3],
        after_message_id=row[4],
        upto_message_id=row[5],
        options=codec.run_options.validate_json(row[6]),
        created_at=from_micros(row[7]),
    )
