"""What was administered, by whom and when. Whoever has the password may read it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from eunoe.http.deps import ActorDep, RuntimeDep, given
from eunoe.http.pages import page_of
from eunoe.http.replies import JsonReply
from eunoe.http.router import v1
from eunoe.store import audit
from eunoe.store.audit import AuditFilter
from eunoe.store.paging import Page
from eunoe.wire.audit import AuditEntryResponse, audit_entry

router = v1("/audit", tag="admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    action: str | None = None
    object_id: str | None = None
    actor_id: str | None = None


@router.get(
    "", operation_id="list_audit_entries", responses={200: {"model": list[AuditEntryResponse]}}
)
@router.get("/", include_in_schema=False)
async def list_all(
    runtime: RuntimeDep,
    actor: ActorDep,
    asked: Annotated[Asked, Depends(given(Asked))],
    page: Annotated[Page, Depends(page_of(limit=50, order="desc"))],
) -> Response:
    """List what was administered, the newest first."""
    where = AuditFilter(action=asked.action, object_id=asked.object_id, actor_id=asked.actor_id)
    async with runtime.db.read(actor) as tx:
        found = await audit.list_entries(tx, where, page)
    return JsonReply([audit_entry(one) for one in found])
