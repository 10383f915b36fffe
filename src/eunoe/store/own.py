"""What the queries of every noun share: the rows of one table, in the actor's organization."""

from collections.abc import Sequence
from typing import Final, TypeVar

from eunoe.errors import Missing
from eunoe.store.codec import encode
from eunoe.store.db import Row, Tx, among, unindexed
from eunoe.store.paging import Listing

T = TypeVar("T")

_OWN: Final = "id = $1 AND organization_id = $2"


def inserting(table: str, fields: Sequence[str]) -> str:
    """Return the statement that stores a row, its values bound in the order of `fields`."""
    places = ", ".join(f"${place}" for place in range(1, len(fields) + 1))
    return f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({places})"


def lock(tx: Tx, table: str, *, held: bool) -> str:
    """Return SQL at a SELECT's end: while `held`, others change no such row until the commit."""
    return f" FOR UPDATE OF {table}" if held and tx.dialect == "postgresql" else ""


async def get(
    tx: Tx, what: Listing, row_id: str, *, held: bool = False, also: str = ""
) -> Row | None:
    """Return the row with this id of which `also` holds; `held` is as for `lock`."""
    return await tx.fetch_one(
        f"SELECT {what.columns} FROM {what.table} WHERE {_OWN}{also}"
        f"{lock(tx, what.table, held=held)}",
        row_id,
        tx.actor.organization_id,
    )


async def many(tx: Tx, what: Listing, ids: Sequence[str], *, also: str = "") -> list[Row]:
    """Return the rows with these ids; unknown ids are left out."""
    return await tx.fetch(
        f"SELECT {what.columns} FROM {what.table} WHERE id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2{also}",
        encode(list(ids)),
        tx.actor.organization_id,
    )


def there(found: T | None, noun: str, row_id: str) -> T:
    """Return what was found; raise `Missing` for null, which an unknown or foreign id gives."""
    if found is None:
        raise Missing(f"There is no {noun} {row_id}.")
    return found


async def count(tx: Tx, table: str) -> int:
    found: int = await tx.fetch_value(
        f"SELECT COUNT(*) FROM {table} WHERE organization_id = $1", tx.actor.organization_id
    )
    return found


async def delete(tx: Tx, table: str, row_id: str, *, also: str = "") -> bool:
    """Remove a row of which `also` holds, with what hangs on it; whether there was one."""
    return bool(
        await tx.execute(
            f"DELETE FROM {table} WHERE {_OWN}{also}", row_id, tx.actor.organization_id
        )
    )
