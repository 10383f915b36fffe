"""Tags of agents and blocks (api 20)."""

from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.pages import After, Before, Limit, Order, rows
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.store import tags
from eunoe.store.paging import Page

router = v1("/tags", tag="tags")


async def _page(
    limit: Limit = 50,
    before: Before = None,
    after: After = None,
    order: Order = "asc",
    order_by: Literal["name"] = "name",
) -> Page:
    return Page(
        limit=rows(limit, default=50),
        before=before,
        after=after,
        ascending=order == "asc",
        order_by=order_by,
    )


@router.get("/", **answers("list_tags", list[str]))
async def list_all(
    me: Me,
    page: Annotated[Page, Depends(_page)],
    name: Annotated[str | None, Query(description="A part of the tag.")] = None,
    query_text: Annotated[str | None, Query(deprecated=True)] = None,
) -> Response:
    """List the distinct tags in use, sorted; the cursors are tags."""
    async with me.read() as tx:
        found = await tags.list_tags(tx, page, containing=name or query_text)
    return JsonReply(found)
