"""Queries on the audit log: a row goes in with what it tells of, and out by age alone."""

from dataclasses import dataclass
from typing import Final

from eunoe import ids, telemetry
from eunoe.domain.audit import Action, AuditEntry
from eunoe.store import own
from eunoe.store.db import Actor, Tx, now_micros
from eunoe.store.mapping import MADE, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_ENTRIES: Final = mapped(AuditEntry, "audit_entries", noun="audit entry", kept=MADE)


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
    return await own.page(tx, _ENTRIES, where, page)
