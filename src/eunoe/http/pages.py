"""The parameters that every list takes, with the defaults of each list (api 5)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Query

from eunoe.store.messages import MessagePage
from eunoe.store.paging import Page

Order: TypeAlias = Literal["asc", "desc"]
Limit: TypeAlias = Annotated[
    int | None, Query(ge=0, description="How many at most; 0 for as many as a page holds.")
]
After: TypeAlias = Annotated[str | None, Query(description="The id that the page comes after.")]
Before: TypeAlias = Annotated[str | None, Query(description="The id that the page comes before.")]
ByCreation: TypeAlias = Annotated[Literal["created_at"], Query(description="The sort field.")]
_ROWS: Final = 1_000
_MESSAGES: Final = 10_000


def page_of(*, limit: int, order: Order) -> Callable[..., Awaitable[Page]]:
    """Return the dependency that reads the page of a list sorted by creation."""
    default_limit, default_order = limit, order

    async def page(
        limit: Limit = default_limit,
        before: Before = None,
        after: After = None,
        order: Order = default_order,
        order_by: ByCreation = "created_at",
    ) -> Page:
        return Page(
            limit=rows(limit, default=default_limit),
            before=before,
            after=after,
            ascending=order == "asc",
            order_by=order_by,
        )

    return page


def message_page_of(*, order: Order, limit: int = 100) -> Callable[..., Awaitable[MessagePage]]:
    """Return the dependency that reads the page of a message list.

    Cursors are absolute, `order` says which end the rows come from (api 5.7, 5.8).
    """
    default_limit, default_order = limit, order

    async def page(
        limit: Limit = default_limit,
        before: Before = None,
        after: After = None,
        order: Order = default_order,
        order_by: ByCreation = "created_at",
    ) -> MessagePage:
        del order_by  # The only one there is.
        return MessagePage(
            limit=rows(limit, default=default_limit, ceiling=_MESSAGES),
            before=before,
            after=after,
            newest=order == "desc",
        )

    return page


def rows(limit: int | None, *, default: int, ceiling: int = _ROWS) -> int:
    """Return how many rows to read: 0 asks for as many as one page may hold (api 5.5)."""
    wanted = default if limit is None else limit
    return min(wanted or _ROWS, ceiling)
