"""Between the rows of a table and the values they stand for: one mapping a table, both ways."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Generic, TypedDict, TypeVar, Unpack

from eunoe.domain.alike import Dataclass
from eunoe.store import codec
from eunoe.store.db import Row, Tx, Value, from_micros, optional_micros
from eunoe.store.paging import Listing, UnknownCursor

T = TypeVar("T", bound=Dataclass)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How a field is kept: in a column of its own name with `suffix`, or in `column`.

    Null is read as null; all else goes through `read`. What is not `written` comes from
    elsewhere, and `column` is SQL for it.
    """

    write: Callable[[Any], Value] = _same
    read: Callable[[Any], Any] = _same
    suffix: str = ""
    column: str = ""
    sealed: bool = False
    written: bool = True


def json(read: Callable[[str], Any] = codec.loads_object, *, column: str = "") -> Kept:
    """Keep a value as JSON, null as null."""
    return Kept(write=codec.optional_json, read=read, suffix="_json", column=column)


def telling(read: Callable[[str], Any]) -> Kept:
    """Keep as JSON what a dataclass says otherwise than by default."""
    return Kept(write=lambda one: codec.encode(codec.told(one)), read=read, suffix="_json")


def elsewhere(sql: str, read: Callable[[Any], Any] = _same) -> Kept:
    """Show what a joined table has."""
    return Kept(column=sql, read=read, written=False)


FLAG: Final = Kept(write=codec.flag, read=bool)
TIME: Final = Kept(write=optional_micros, read=from_micros)
OBJECT: Final = json()
NAME: Final = Kept(write=codec.findable)
LIST: Final = json(lambda text: tuple(codec.loads(text)))
MADE: Final = {"created_at": TIME}
CHANGED: Final = {**MADE, "updated_at": TIME}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped(Listing, Generic[T]):
    """A table whose rows are values: `names` are the columns that are written, by field."""

    made: type[T]
    fields: tuple[str, ...]
    kept: Mapping[str, Kept]
    names: Mapping[str, str]

    def read(self, tx: Tx, row: Row, **more: Any) -> T:
        """Return the value of a row that begins with `columns`, and of what `more` says of it.

        Raises `SecretUnreadable`.
        """
        told: dict[str, Any] = dict(zip(self.fields, row, strict=False))
        for field, kept in self.kept.items():
            stored = told[field]
            if stored is not None:
                told[field] = kept.read(tx.sealer.open(stored) if kept.sealed else stored)
        return self.made(**told, **more)

    def values(self, tx: Tx, one: T) -> dict[str, Value]:
        """Return what is written of a value, by column."""
        told: dict[str, Value] = {}
        for field, name in self.names.items():
            value: Any = getattr(one, field)
            kept = self.kept.get(field)
            if kept is not None:
                value = kept.write(value)
                if kept.sealed and value is not None:
                    value = tx.sealer.seal(value)
            told[name] = value
        return told


class _Listed(TypedDict, total=False):
    joined: str
    source: str
    scoped: bool
    orders: Mapping[str, bool]
    unknown_cursor: UnknownCursor


def mapped(
    made: type[T],
    table: str,
    *,
    noun: str,
    kept: Mapping[str, Kept],
    without: Collection[str] = (),
    **listed: Unpack[_Listed],
) -> Mapped[T]:
    """Map all fields of a dataclass but those `without` to columns; `kept` says what is special.

    The rest is as for `Listing`.
    """
    named = tuple(one.name for one in fields(made) if one.name not in without)
    plain = Kept()
    columns: list[str] = []
    names: dict[str, str] = {}
    for field in named:
        how = kept.get(field, plain)
        name = how.column or f"{field}{how.suffix}"
        columns.append(f"{table}.{name}" if how.written else name)
        if how.written:
            names[field] = name
    return Mapped(
        noun=noun,
        table=table,
        columns=", ".join(columns),
        made=made,
        fields=named,
        kept=kept,
        names=names,
        **listed,
    )
