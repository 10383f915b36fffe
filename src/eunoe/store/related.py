"""What agents and message lists have of several kinds, read in one statement: a column a kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eunoe.store import codec
from eunoe.store.db import Row, Tx, each

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Related(Generic[T]):
    """What an owner has of one kind: SQL for it as one text, and how that is read.

    In the SQL the owner's id is `item.value`, the actor's organization `$2`.
    """

    sql: Callable[[Tx], str]
    read: Callable[[Tx, str | None], T]

    def then(self, made: Callable[[T], V]) -> "Related[V]":
        return Related(self.sql, lambda tx, text: made(self.read(tx, text)))


def rows_of(
    columns: str, source: str, *, order: str, read: Callable[[Tx, Row], T], blob: str = ""
) -> Related[tuple[T, ...]]:
    r"""Return a kind of which there are rows: what stands after FROM, and how one is read.

    Bytes in the column `blob` are read as hexadecimal digits, on PostgreSQL behind `\\x`.
    """

    def sql(tx: Tx) -> str:
        gathered = f"ORDER BY {order}"
        if tx.dialect == "sqlite":
            digits = columns.replace(blob, f"hex({blob})") if blob else columns
            gathered = f"json_group_array(json_array({digits}) {gathered})"
        else:
            gathered = f"json_agg(json_build_array({columns}) {gathered})::text"
        return f"(SELECT {gathered} FROM {source})"

    return Related(sql, lambda tx, text: tuple(read(tx, row) for row in codec.loads(text) or ()))


def last(found: Sequence[T]) -> T | None:
    return found[-1] if found else None


async def of_all(
    tx: Tx, owner_ids: Sequence[str], **kinds: Related[Any]
) -> dict[str, dict[str, Any]]:
    """Return what each owner has, under the names of the kinds."""
    columns = ", ".join(kind.sql(tx) for kind in kinds.values())
    rows = await tx.fetch(
        f"SELECT item.value, {columns} FROM {each(tx, '$1')}",
        codec.encode(list(owner_ids)),
        tx.actor.organization_id,
    )
    return {
        row[0]: {
            name: kind.read(tx, text)
            for (name, kind), text in zip(kinds.items(), row[1:], strict=True)
        }
        for row in rows
    }


async def of_one(tx: Tx, owner_id: str, kind: Related[T]) -> T:
    found: T = (await of_all(tx, [owner_id], kind=kind))[owner_id]["kind"]
    return found
