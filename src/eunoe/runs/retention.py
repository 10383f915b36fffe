"""What is kept for a while only: logs of events and of administration, answers to keys (G-22).

It is swept in batches of a transaction each, so that nobody waits long for the writer, and the
room is given back to the disk.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from eunoe.store import events, own
from eunoe.store.db import Actor, Database, Tx, give_back

_BATCH: Final = 100
_ANSWERS: Final = timedelta(hours=24)
"""How long the answer to an idempotency key is given again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long each is kept: events from the end of their run, the rest from when it was made.

    Traces of providers are kept as long as events.
    """

    events: timedelta = timedelta(hours=24)
    audit: timedelta = timedelta(days=365)


async def sweep(db: Database, kept: Retention, *, now: datetime | None = None) -> None:
    """Delete what is older than it is kept."""
    now = now or datetime.now(UTC)
    await _all(db, lambda tx: events.prune(tx, ended_before=now - kept.events, limit=_BATCH))
    await _all(
        db, lambda tx: own.prune(tx, "provider_traces", before=now - kept.events, limit=_BATCH)
    )
    await _all(db, lambda tx: own.prune(tx, "audit_entries", before=now - kept.audit, limit=_BATCH))
    await _all(db, lambda tx: own.prune(tx, "kept_answers", before=now - _ANSWERS, limit=_BATCH))
    await _all(db, lambda tx: give_back(tx, pages=_BATCH))


async def _all(db: Database, prune: Callable[[Tx], Awaitable[int]]) -> None:
    pruned = _BATCH
    while pruned == _BATCH:
        async with db.write(Actor()) as tx:
            pruned = await prune(tx)
