"""Queries on the event log of runs: append-only, one row an event, read from any place."""

from collections.abc import Sequence
from datetime import datetime

from eunoe.domain.events import RunEvent
from eunoe.store.codec import encode, run_event
from eunoe.store.db import Tx, among, to_micros
from eunoe.store.notices import SAID, notifying


async def append(tx: Tx, run_id: str, events: Sequence[tuple[int, RunEvent]]) -> None:
    """Write events at their places; the primary key refuses a place that is taken.

    Readers in other processes hear of it with the commit.
    """
    if not events:
        return
    await tx.execute_many(
        "INSERT INTO run_events (run_id, seq, event_json) VALUES ($1, $2, $3)"
        + notifying(tx, SAID, "$1"),
        [(run_id, seq, encode(event)) for seq, event in events],
    )


async def read(tx: Tx, run_id: str, *, after: int, limit: int = 500) -> list[tuple[int, RunEvent]]:
    """Return the events past place `after`, in order, at most `limit`."""
    rows = await tx.fetch(
        "SELECT seq, event_json FROM run_events WHERE run_id = $1 AND seq > $2"
        " ORDER BY seq LIMIT $3",
        run_id,
        after,
        limit,
    )
    return [(row[0], run_event.validate_json(row[1])) for row in rows]


async def prune(tx: Tx, *, ended_before: datetime, limit: int) -> int:
    """Delete the logs of at most `limit` runs that ended earlier; return of how many."""
    rows = await tx.fetch(
        "SELECT id FROM runs WHERE completed_at < $1"
        " AND EXISTS (SELECT 1 FROM run_events WHERE run_id = runs.id) LIMIT $2",
        to_micros(ended_before),
        limit,
    )
    await tx.execute(
        f"DELETE FROM run_events WHERE run_id {among(tx, '$1')}", encode([row[0] for row in rows])
    )
    return len(rows)


async def last_seq(tx: Tx, run_id: str) -> int:
    """Return the place of the run's newest event, 0 where there is none."""
    found: int | None = await tx.fetch_value(
        "SELECT MAX(seq) FROM run_events WHERE run_id = $1", run_id
    )
    return found or 0
