"""The audit log on the wire; this server's own."""

from typing_extensions import TypedDict

from eunoe.domain.audit import Action, AuditEntry
from eunoe.wire.times import entity_time


class AuditEntryResponse(TypedDict):
    id: str
    actor_id: str
    action: Action
    object_id: str
    request_id: str | None
    created_at: str


def audit_entry(one: AuditEntry) -> AuditEntryResponse:
    return {
        "id": one.id,
        "actor_id": one.actor_id,
        "action": one.action,
        "object_id": one.object_id,
        "request_id": one.request_id,
        "created_at": entity_time(one.created_at),
    }
