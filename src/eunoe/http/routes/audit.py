"""What was administered, by whom and when. Whoever has the password may read it."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from eunoe.domain.audit import AuditEntry
from eunoe.http.deps import Me, given
from eunoe.http.pages import page_of
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.store import audit
from eunoe.store.audit import AuditFilter
from eunoe.store.paging import Page
from eunoe.wire.times import entity_time

router = v1("/audit", tag="admin")


@router.get("", **answers("list_audit_entries", list[AuditEntry]))
@router.get("/", include_in_schema=False)
async def list_all(
    me: Me,
    asked: Annotated[AuditFilter, Depends(given(AuditFilter))],
    page: Annotated[Page, Depends(page_of(limit=50, order="desc"))],
) -> Response:
    """List what was administered, the newest first."""
    async with me.read() as tx:
        found = await audit.list_entries(tx, asked, page)
    return JsonReply([{**asdict(one), "created_at": entity_time(one.created_at)} for one in found])
