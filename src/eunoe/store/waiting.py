"""Queries on the runs that wait for their message list, in the order in which they get it."""

from collections.abc import Sequence
from typing import Final

from eunoe.domain.messages import Message
from eunoe.domain.runs import Run
from eunoe.store import codec
from eunoe.store.db import Actor, Tx, to_micros

_FIRST: Final = (
    "SELECT run_id FROM waiting_runs WHERE list_id = {} ORDER BY urgent, created_at, run_id LIMIT 1"
)


async def insert(tx: Tx, run: Run, said: Sequence[Message], *, urgent: bool) -> None:
    """Let a run wait for its list, with what it says there; one that is urgent goes first."""
    await tx.execute(
        "INSERT INTO waiting_runs (run_id, organization_id, user_id, list_id, urgent, created_at,"
        " said_json) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        run.id,
        tx.actor.organization_id,
        tx.actor.user_id,
        run.list_id,
        int(not urgent),
        to_micros(run.created_at),
        codec.encode(list(said)),
    )


async def count(tx: Tx, list_id: str) -> int:
    found: int = await tx.fetch_value(
        "SELECT count(*) FROM waiting_runs WHERE list_id = $1", list_id
    )
    return found


async def first(tx: Tx, list_id: str) -> str | None:
    """Return the run that gets the list next, null where none waits."""
    found: str | None = await tx.fetch_value(_FIRST.format("$1"), list_id)
    return found


async def actor_of(tx: Tx, run_id: str) -> Actor | None:
    """Return for whom the run waits, of whatever organization; null where it does not."""
    row = await tx.fetch_one(
        "SELECT w.organization_id, w.user_id, runs.key_id FROM waiting_runs w"
        " JOIN runs ON runs.id = w.run_id WHERE w.run_id = $1",
        run_id,
    )
    return None if row is None else Actor(organization_id=row[0], user_id=row[1], key_id=row[2])


async def first_of_free(tx: Tx) -> list[str]:
    """Return the runs that get lists next which no run holds, of every organization."""
    rows = await tx.fetch(
        "SELECT w.run_id FROM waiting_runs w WHERE w.run_id = ("
        + _FIRST.format("w.list_id").replace("waiting_runs", "waiting_runs o")
        + ") AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.list_id = w.list_id"
        " AND runs.status IN ('created', 'running'))"
    )
    return [row[0] for row in rows]


async def list_of(tx: Tx, run_id: str) -> str | None:
    """Return the list that a run waits for, null where it does not wait."""
    found: str | None = await tx.fetch_value(
        "SELECT list_id FROM waiting_runs WHERE run_id = $1", run_id
    )
    return found


async def take(tx: Tx, run_id: str) -> tuple[str, tuple[Message, ...]] | None:
    """Take a run out of the line; return its list and what it says there, null if it is gone."""
    row = await tx.fetch_one(
        "DELETE FROM waiting_runs WHERE run_id = $1 RETURNING list_id, said_json", run_id
    )
    return None if row is None else (row[0], codec.messages.validate_json(row[1]))


async def claim_list(tx: Tx, run_id: str, list_id: str) -> None:
    """Give the run the list that it waited for; raise `UniqueViolated` when it is claimed."""
    await tx.execute("UPDATE runs SET list_id = $1 WHERE id = $2", list_id, run_id)
