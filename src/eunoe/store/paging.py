"""One way to page every list: a total order of (sort field, id), cursors that are row ids."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from eunoe.errors import Invalid, Missing
from eunoe.store.codec import encode
from eunoe.store.db import Row, Tx, among, unindexed
from eunoe.store.where import Where

_MOST: Final = 1000
_BEFORE_ALL: Final = -(2**62)
_AFTER_ALL: Final = 2**62

UnknownCursor: TypeAlias = Literal["ignored", "missing", "invalid"]
"""What a cursor is that names no row (api 5.6)."""

BY_CREATION: Final[Mapping[str, bool]] = {"created_at": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`after` means later in the shown order, `before` earlier (api 5.4); `limit` 0 means 1000."""

    limit: int = 50
    before: str | None = None
    after: str | None = None
    ascending: bool = False
    order_by: str = "created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is listed: `columns` of `table`, which has an `id` and an `organization_id`.

    `orders` names the numbers it can be sorted by, and whether they may be null: such
    rows come last in either direction (api 5.11). `source` is SQL for a table that the database
    itself does not have. One that is not `scoped` is nobody's, and has no `organization_id`.
    """

    noun: str
    table: str
    columns: str
    joined: str = ""
    source: str = ""
    scoped: bool = True
    orders: Mapping[str, bool] = field(default_factory=lambda: BY_CREATION)
    unknown_cursor: UnknownCursor = "ignored"


async def listing(tx: Tx, what: Listing, where: Where, page: Page) -> list[Row]:
    """Return the rows of one page in the order shown, in at most two statements (api 5.3 to 5.6).

    With `before` alone the page is the rows next to the cursor, so that a client that
    walks backwards meets every row. Raises `Missing` for an unknown cursor where the
    list is of that kind, `Invalid` for a field it cannot be sorted by.
    """
    if page.order_by not in what.orders:
        raise Invalid(f"A list of {what.noun}s cannot be ordered by {page.order_by}.")
    key = _key(what, page)
    await _cut(tx, what, where, page, key=key)
    backwards = page.before is not None and page.after is None
    direction = "ASC" if page.ascending != backwards else "DESC"
    rows = await tx.fetch(
        f"SELECT {what.columns} FROM {what.source or what.table} {what.joined} WHERE {where.sql}"
        f" ORDER BY {key} {direction}, {what.table}.id {direction}"
        f" LIMIT {where.bound(page.limit or _MOST)}",
        *where.args,
    )
    return rows[::-1] if backwards else rows


def _key(what: Listing, page: Page) -> str:
    column = f"{what.table}.{page.order_by}"
    if not what.orders[page.order_by]:
        return column
    return f"COALESCE({column}, {_AFTER_ALL if page.ascending else _BEFORE_ALL})"


def _scope(what: Listing) -> str:
    return f" AND {unindexed(f'{what.table}.organization_id')} = $2" if what.scoped else ""


async def _cut(tx: Tx, what: Listing, where: Where, page: Page, *, key: str) -> None:
    """Leave out the rows on the wrong side of the page's cursors."""
    cursors = [cursor for cursor in (page.after, page.before) if cursor is not None]
    if not cursors:
        return
    found = await tx.fetch(
        f"SELECT {what.table}.id, {key} FROM {what.source or what.table}"
        f" WHERE {what.table}.id {among(tx, '$1')}{_scope(what)}",
        encode(cursors),
        *([tx.actor.organization_id] if what.scoped else []),
    )
    places: dict[str, int] = {row[0]: row[1] for row in found}
    for cursor, later in ((page.after, True), (page.before, False)):
        if cursor is None:
            continue
        if cursor in places:
            sign = ">" if later == page.ascending else "<"
            where.add(f"({key}, {what.table}.id) {sign} ({{}}, {{}})", places[cursor], cursor)
        elif what.unknown_cursor == "missing":
            raise Missing(f"There is no {what.noun} {cursor} to page from.")
        elif what.unknown_cursor == "invalid":
            raise Invalid(f"There is no {what.noun} {cursor} to page from.")
