"""Queries on batches: an item is begun once, ends once, and the last one ends the batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from eunoe.domain.batches import Batch, BatchItem, BatchStatus, ItemResult, status_of
from eunoe.domain.runs import RunStatus
from eunoe.store import callbacks, codec
from eunoe.store.db import Actor, Tx, among, to_micros

_LEFT: Final = "ended_at IS NULL"

Name = tuple[str, int]
"""A batch and the place of an item in it."""


async def insert(tx: Tx, batch: Batch, items: Sequence[BatchItem]) -> None:
    await tx.execute(
        "INSERT INTO batches (id, organization_id, user_id, key_id, status, callback_url,"
        " created_at) VALUES ($1, $2, $3, $4, 'running', $5, $6)",
        batch.id,
        tx.actor.organization_id,
        tx.actor.user_id,
        tx.actor.key_id,
        batch.callback_url,
        to_micros(batch.created_at),
    )
    await tx.execute_many(
        "INSERT INTO batch_items (batch_id, place, agent_id, ask_json) VALUES ($1, $2, $3, $4)",
        [(item.batch_id, item.place, item.agent_id, codec.encode(item.ask)) for item in items],
    )


async def ready(tx: Tx, *, limit: int, batch_id: str | None = None) -> list[Name]:
    """Return items to go on with, of every organization, those of the oldest batches first.

    With a `batch_id` those of it that are to be begun. Of an agent's items in a batch only the
    first that is left: the others wait for it.
    """
    these = "" if batch_id is None else " AND items.batch_id = $2 AND items.run_id IS NULL"
    rows = await tx.fetch(
        "SELECT items.batch_id, items.place FROM batch_items AS items"
        " JOIN batches ON batches.id = items.batch_id"
        f" WHERE items.{_LEFT}{these}"
        " AND NOT EXISTS (SELECT 1 FROM batch_items AS earlier"
        f" WHERE earlier.batch_id = items.batch_id AND earlier.agent_id = items.agent_id"
        f" AND earlier.{_LEFT} AND earlier.place < items.place)"
        " ORDER BY batches.created_at, items.batch_id, items.place LIMIT $1",
        limit,
        *([] if batch_id is None else [batch_id]),
    )
    return [(row[0], row[1]) for row in rows]


async def left(tx: Tx, name: Name) -> tuple[BatchItem, BatchStatus, Actor] | None:
    """Return an item, of whatever organization, and how its batch stands; null once it ended."""
    row = await tx.fetch_one(
        "SELECT items.agent_id, items.ask_json, items.run_id, batches.status,"
        " batches.organization_id, batches.user_id, batches.key_id FROM batch_items AS items"
        f" JOIN batches ON batches.id = items.batch_id WHERE items.{_LEFT}"
        " AND items.batch_id = $1 AND items.place = $2",
        *name,
    )
    if row is None:
        return None
    item = BatchItem(
        batch_id=name[0],
        place=name[1],
        agent_id=row[0],
        ask=codec.ask.validate_json(row[1]),
        run_id=row[2],
    )
    return item, row[3], Actor(organization_id=row[4], user_id=row[5], key_id=row[6])


async def begin(tx: Tx, name: Name, *, run_id: str) -> bool:
    """Note the run of an item; whether it had none and was left."""
    return bool(
        await tx.execute(
            "UPDATE batch_items SET run_id = $1 WHERE batch_id = $2 AND place = $3"
            f" AND run_id IS NULL AND {_LEFT}",
            run_id,
            *name,
        )
    )


async def end_item(
    tx: Tx, name: Name, *, status: RunStatus, error: str | None, at: datetime
) -> bool:
    """Note how an item has ended, and with the last one its batch; whether a URL is to be told."""
    await hold(tx, name[0])
    ended = await tx.execute(
        "UPDATE batch_items SET status = $1, error = $2, ended_at = $3"
        f" WHERE batch_id = $4 AND place = $5 AND {_LEFT}",
        status,
        error,
        to_micros(at),
        *name,
    )
    return bool(ended) and await _close(tx, name[0], at=at)


async def hold(tx: Tx, batch_id: str) -> BatchStatus | None:
    """Return how a batch stands and keep others from ending it until the commit."""
    lock = " FOR UPDATE" if tx.dialect == "postgresql" else ""
    found: BatchStatus | None = await tx.fetch_value(
        f"SELECT status FROM batches WHERE id = $1 AND organization_id = $2{lock}",
        batch_id,
        tx.actor.organization_id,
    )
    return found


async def cancel(tx: Tx, batch_id: str, *, at: datetime) -> list[str]:
    """End a batch that is held, and what was not begun of it; return the runs of the rest."""
    await tx.execute(
        "UPDATE batches SET status = 'cancelled', completed_at = $1 WHERE id = $2",
        to_micros(at),
        batch_id,
    )
    await tx.execute(
        "UPDATE batch_items SET status = 'cancelled', ended_at = $1"
        f" WHERE batch_id = $2 AND run_id IS NULL AND {_LEFT}",
        to_micros(at),
        batch_id,
    )
    rows = await tx.fetch(
        f"SELECT run_id FROM batch_items WHERE batch_id = $1 AND {_LEFT}", batch_id
    )
    await _close(tx, batch_id, at=at)
    return [row[0] for row in rows]


async def delete(tx: Tx, batch_id: str) -> None:
    await tx.execute(
        "DELETE FROM batches WHERE id = $1 AND organization_id = $2",
        batch_id,
        tx.actor.organization_id,
    )


async def results(tx: Tx, batch_ids: Sequence[str]) -> dict[str, list[ItemResult]]:
    """Return how the items of the batches stand, in order."""
    rows = await tx.fetch(
        "SELECT batch_id, place, agent_id, run_id, status, error FROM batch_items"
        f" WHERE batch_id {among(tx, '$1')} ORDER BY batch_id, place",
        codec.encode(list(batch_ids)),
    )
    found: dict[str, list[ItemResult]] = {batch_id: [] for batch_id in batch_ids}
    for row in rows:
        found[row[0]].append(
            ItemResult(place=row[1], agent_id=row[2], run_id=row[3], status=row[4], error=row[5])
        )
    return found


async def _close(tx: Tx, batch_id: str, *, at: datetime) -> bool:
    """End a batch that is held where no item is left; one that was cancelled stays so.

    Returns whether a URL is to be told.
    """
    if await tx.fetch_value(
        f"SELECT 1 FROM batch_items WHERE batch_id = $1 AND {_LEFT} LIMIT 1", batch_id
    ):
        return False
    rows = await tx.fetch("SELECT DISTINCT status FROM batch_items WHERE batch_id = $1", batch_id)
    await tx.execute(
        "UPDATE batches SET status = $1, completed_at = $2 WHERE id = $3 AND status = 'running'",
        status_of([row[0] for row in rows]),
        to_micros(at),
        batch_id,
    )
    url = await tx.fetch_value("SELECT callback_url FROM batches WHERE id = $1", batch_id)
    if url is not None:
        await callbacks.insert(tx, batch_id, url, at=at)
    return url is not None
