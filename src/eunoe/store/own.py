"""What the queries of every noun share: the rows of one table, in the actor's organization."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final, TypeVar

from eunoe.errors import Missing
from eunoe.store.codec import encode
from eunoe.store.db import Row, Tx, Value, among, to_micros, unindexed
from eunoe.store.mapping import Mapped, T
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where

U = TypeVar("U")

_OWN: Final = "id = $1 AND organization_id = $2"


@cache
def inserting(table: str, fields: tuple[str, ...]) -> str:
    """Return the statement that stores a row, its values bound in the order of `fields`."""
    places = ", ".join(f"${place}" for place in range(1, len(fields) + 1))
    return f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({places})"


@cache
def _updating(table: str, changed: tuple[str, ...], asked: tuple[str, ...]) -> str:
    said = [f"{name} = ${place}" for place, name in enumerate((*changed, *asked), 1)]
    sets, wanted = said[: len(changed)], said[len(changed) :]
    return f"UPDATE {table} SET {', '.join(sets)} WHERE {' AND '.join(wanted)}"


async def insert(tx: Tx, what: Mapped[T], one: T, *, tail: str = "", **also: Value) -> int:
    """Store a value, and `also` what its row says beside it; `tail` is SQL for a clash.

    Returns how many rows that made or changed.
    """
    row = written(tx, what, one, **also)
    return await tx.execute(inserting(what.table, tuple(row)) + tail, *row.values())


async def put(
    tx: Tx, what: Mapped[T], one: T, *, key: str, changed: Sequence[str], **also: Value
) -> T:
    """Store a value, or change what is stored under its `key`; return what is stored then."""
    row = written(tx, what, one, **also)
    sets = ", ".join(f"{name} = excluded.{name}" for name in changed)
    stored = await tx.fetch(
        f"{inserting(what.table, tuple(row))} ON CONFLICT ({key}) DO UPDATE SET {sets}"
        f" RETURNING {what.columns}",
        *row.values(),
    )
    return what.read(tx, stored[0])


async def insert_many(tx: Tx, what: Mapped[T], ones: Sequence[T], **also: Value) -> None:
    """Store values, in one statement."""
    await insert_rows(tx, what.table, [written(tx, what, one, **also) for one in ones])


async def insert_rows(tx: Tx, table: str, rows: Sequence[Mapping[str, Value]]) -> None:
    """Store rows of the same columns, in one statement."""
    if rows:
        statement = inserting(table, tuple(rows[0]))
        await tx.execute_many(statement, [tuple(row.values()) for row in rows])


def written(tx: Tx, what: Mapped[T], one: T, **also: Value) -> dict[str, Value]:
    """Return the row of a value, by column, with `also` what it says beside it."""
    scope = {"organization_id": tx.actor.organization_id} if what.scoped else {}
    return {**scope, **what.values(tx, one), **also}


async def update(
    tx: Tx,
    what: Mapped[T],
    one: T,
    *,
    but: Collection[str] = (),
    where: Mapping[str, Value] | None = None,
    **also: Value,
) -> bool:
    """Replace what a row says of a value `but` some columns; `also` is what it says beside it.

    Whether there was such a row, of which `where` holds.
    """
    values = {**what.values(tx, one), **also}
    asked = {"id": values["id"], "organization_id": tx.actor.organization_id, **(where or {})}
    changed = tuple(name for name in values if name not in ("id", "organization_id", *but))
    return bool(
        await tx.execute(
            _updating(what.table, changed, tuple(asked)),
            *(values[name] for name in changed),
            *asked.values(),
        )
    )


def lock(tx: Tx, table: str, *, held: bool) -> str:
    """Return SQL at a SELECT's end: while `held`, others change no such row until the commit."""
    return f" FOR UPDATE OF {table}" if held and tx.dialect == "postgresql" else ""


async def select(tx: Tx, what: Mapped[T], tail: str, *args: Value) -> list[T]:
    """Return what a SELECT finds whose end is `tail`, from WHERE on."""
    rows = await tx.fetch(f"SELECT {what.columns} FROM {what.table} {what.joined} {tail}", *args)
    return [what.read(tx, row) for row in rows]


async def first(tx: Tx, what: Mapped[T], tail: str, *args: Value) -> T | None:
    """Return the one thing, or the first, that such a SELECT finds."""
    found = await tx.fetch_one(
        f"SELECT {what.columns} FROM {what.table} {what.joined} {tail}", *args
    )
    return None if found is None else what.read(tx, found)


async def row(
    tx: Tx, what: Listing, row_id: str, *, held: bool = False, also: str = ""
) -> Row | None:
    """Return the row with this id, of which `also` holds; `held` is as for `lock`."""
    locked = lock(tx, what.table, held=held)
    scoped = (row_id, tx.actor.organization_id)
    if locked and "SELECT" in what.columns:
        # Before the read and not in it: there what hangs on the row is that of before the wait.
        await tx.execute(f"SELECT 1 FROM {what.table} WHERE {_OWN}{locked}", *scoped)
    return await tx.fetch_one(
        f"SELECT {what.columns} FROM {what.table} {what.joined} WHERE {what.table}.id = $1"
        f" AND {what.table}.organization_id = $2{also}{locked}",
        *scoped,
    )


async def get(
    tx: Tx, what: Mapped[T], row_id: str, *, held: bool = False, also: str = ""
) -> T | None:
    """Return what has this id and of which `also` holds; `held` is as for `lock`."""
    found = await row(tx, what, row_id, held=held, also=also)
    return None if found is None else what.read(tx, found)


async def rows(tx: Tx, what: Listing, ids: Sequence[str]) -> list[Row]:
    """Return the rows with these ids; unknown ids are left out."""
    return await tx.fetch(
        f"SELECT {what.columns} FROM {what.table} WHERE id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2",
        encode(list(ids)),
        tx.actor.organization_id,
    )


async def many(tx: Tx, what: Mapped[T], ids: Sequence[str]) -> list[T]:
    """Return what has these ids; unknown ids are left out."""
    return [what.read(tx, row) for row in await rows(tx, what, ids)]


async def page(tx: Tx, what: Mapped[T], where: Where, page: Page) -> list[T]:
    """Return one page in the order shown; raises as `listing` does."""
    return [what.read(tx, row) for row in await listing(tx, what, where, page)]


async def detach(tx: Tx, noun: str, agent_id: str, one_id: str) -> bool:
    """Take a block, a folder, … from the agent; it stays stored. Whether the agent had it."""
    return bool(
        await tx.execute(
            f"DELETE FROM agents_{noun}s WHERE agent_id = $1 AND {noun}_id = $2"
            " AND (SELECT organization_id FROM agents WHERE id = $1) = $3",
            agent_id,
            one_id,
            tx.actor.organization_id,
        )
    )


def there(one: U | None, noun: str, row_id: str) -> U:
    """Return what was found; raise `Missing` for what an unknown or foreign id gives."""
    if one is None or one is False:
        raise Missing(f"There is no {noun} {row_id}.")
    return one


def all_there(found: Container[str], wanted: Iterable[str], nouns: str) -> None:
    """Raise `Missing` naming what of `wanted` was not found."""
    absent = [one for one in wanted if one not in found]
    if absent:
        raise Missing(f"There are no such {nouns}: {', '.join(absent)}.")


async def count(tx: Tx, where: Where, table: str) -> int:
    counted: int = await tx.fetch_value(
        f"SELECT COUNT(*) FROM {table} WHERE {where.sql}", *where.args
    )
    return counted


async def delete(tx: Tx, table: str, row_id: str, *, also: str = "") -> bool:
    """Remove a row of which `also` holds, with what hangs on it; whether there was one."""
    return bool(
        await tx.execute(
            f"DELETE FROM {table} WHERE {_OWN}{also}", row_id, tx.actor.organization_id
        )
    )


async def prune(tx: Tx, table: str, *, before: datetime, limit: int) -> int:
    """Delete at most `limit` rows, of every organization, that are older; return how many."""
    return await tx.execute(
        f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE created_at < $1 LIMIT $2)",
        to_micros(before),
        limit,
    )
