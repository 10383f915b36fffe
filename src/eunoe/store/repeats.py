"""Queries on requests that come again: the runs they made, by otids and by hashes (G-5, G-6)."""

from collections.abc import Iterable
from datetime import datetime

from eunoe.domain.runs import Run
from eunoe.store import codec
from eunoe.store.db import Tx, among, to_micros
from eunoe.store.runs import COLUMNS, from_row


async def claim_otids(tx: Tx, run: Run, otids: Iterable[str]) -> None:
    """Note the otids that a run's input has; raise `UniqueViolated` where one was used before."""
    await tx.execute_many(
        "INSERT INTO run_otids (list_id, otid, run_id) VALUES ($1, $2, $3)",
        [(run.list_id, codec.findable(otid), run.id) for otid in dict.fromkeys(otids)],
    )


async def of_otids(tx: Tx, list_id: str, otids: Iterable[str]) -> str | None:
    """Return the run of the list that has one of the otids, null for none."""
    found: str | None = await tx.fetch_value(
        f"SELECT run_id FROM run_otids WHERE list_id = $1 AND otid {among(tx, '$2')} LIMIT 1",
        list_id,
        codec.encode(list(otids)),
    )
    return found


async def by_origin(
    tx: Tx,
    *,
    since: datetime,
    hashes: tuple[str, str] | None = None,
    otids_token: str | None = None,
    but: str = "",
) -> Run | None:
    """Return the newest run of the same request, `but` one, no older than `since`."""
    row = await tx.fetch_one(
        f"SELECT {COLUMNS} FROM runs WHERE organization_id = $1 AND created_at >= $2"
        " AND (request_hash IN ($3, $4) OR otids_token = $5) AND id <> $6"
        " ORDER BY created_at DESC LIMIT 1",
        tx.actor.organization_id,
        to_micros(since),
        *(hashes or (None, None)),
        otids_token,
        but,
    )
    return None if row is None else from_row(tx, row)


async def hold_request(tx: Tx, request_hash: str) -> None:
    """Keep repeats of a request apart until commit; SQLite has one writer anyway."""
    if tx.dialect == "postgresql":
        await tx.fetch("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", request_hash)
