"""The jobs, in the job engine's own table, of runs that a process owns from their first moment.

Such a run needs no job to begin. One that lasts gets a job that is picked already: while its
holder says that it is there the engine leaves it alone, and gives it to another process after.
PostgreSQL only.
"""

from collections.abc import Collection

from eunoe.store import codec
from eunoe.store.db import Tx, among

_OPEN = "status = ANY (ARRAY['queued'::pgqueuer_status, 'picked'::pgqueuer_status])"
"""With `dedupe_key IS NOT NULL`, the predicate of the index that keeps a run to one open job."""


async def hold(tx: Tx, kind: str, names: Collection[str], *, holder: str) -> None:
    """Say that `holder`, a UUID, is there for the jobs of that kind, making those not made yet.

    A job that somebody else has is left as it is.
    """
    await tx.execute(
        "INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, status,"
        " queue_manager_id) SELECT 0, $1, convert_to(name, 'UTF8'), name, 'picked', $3"
        " FROM jsonb_array_elements_text($2::jsonb) AS name ON CONFLICT (dedupe_key)"
        f" WHERE {_OPEN} AND dedupe_key IS NOT NULL DO UPDATE SET heartbeat = now()"
        " WHERE pgqueuer.queue_manager_id = excluded.queue_manager_id",
        kind,
        codec.encode(sorted(names)),
        holder,
    )


async def let_go(tx: Tx, names: Collection[str], *, holder: str) -> None:
    """Take away the jobs of these names that `holder` has."""
    await tx.execute(
        f"DELETE FROM pgqueuer WHERE dedupe_key {among(tx, '$1')} AND {_OPEN}"
        " AND queue_manager_id = $2",
        codec.encode(sorted(names)),
        holder,
    )
