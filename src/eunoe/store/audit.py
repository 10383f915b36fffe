"""Queries on the audit log: a row goes in with what it tells of, and out by age alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eunoe import ids, telemetry
from eunoe.domain.audit import Action, AuditEntry
from eunoe.store.db import Actor, Row, Tx, from_micros, now_micros, to_micros
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_FIELDS: Final = ("id", "actor_id", "action", "object_id", "request_id", "created_at")
_LISTING: Final = Listing(
    noun="audit entry",
    table="audit_entries",
    columns=", ".join(f"audit_entries.{name}" for name in _FIELDS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What is asked of the log; null asks for nothing."""

    action: str | None = None
    object_id: str | None = None
    actor_id: str | None = None


async def note(tx: Tx, action: Action, object_id: str, *, by: Actor | None = None) -> None:
    """Write down what this transaction does; `by` somebody else than whose data it works on."""
    actor = by or tx.actor
    await tx.execute(
        "INSERT INTO audit_entries (id, organization_id, actor_id, action, object_id, request_id,"
        " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        ids.new("audit"),
        actor.organization_id,
        actor.user_id,
        action,
        object_id,
        telemetry.bound().get("request_id"),
        now_micros(),
    )


async def list_entries(tx: Tx, asked: AuditFilter, page: Page) -> list[AuditEntry]:
    """Return a page of what was done in the actor's organization and by its users."""
    where = of_organization(tx, "audit_entries").equal(
        action=asked.action, object_id=asked.object_id, actor_id=asked.actor_id
    )
    return [_read(row) for row in await listing(tx, _LISTING, where, page)]


async def prune(tx: Tx, *, before: datetime, limit: int) -> int:
    """Delete at most `limit` entries that are older; return how many."""
    return await tx.execute(
        "DELETE FROM audit_entries WHERE id IN"
        " (SELECT id FROM audit_entries WHERE created_at < $1 LIMIT $2)",
        to_micros(before),
        limit,
    )


def _read(row: Row) -> AuditEntry:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    return AuditEntry(created_at=from_micros(stored.pop("created_at")), **stored)
