"""The database as the server sees it: one face, two drivers (`sqlite`, `postgresql`).

SQL is written by hand with `$1` placeholders that both drivers take as they are.
Types are kept to what both agree on: text (JSON too), integers (booleans are 0 or
1, times are microseconds since 1970 in UTC), reals and blobs.

    async with db.write(actor) as tx:
        await tx.execute("UPDATE agents SET name = $1 WHERE id = $2", name, agent_id)

A transaction never spans a wait for a model, a tool or a socket.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias

from eunoe.ids import DEFAULT_ORGANIZATION, DEFAULT_USER
from eunoe.store.sealing import Sealer

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = Sequence[Any]
"""A row by position, in the order of the SELECT list."""

COMMITS: Final[ContextVar[list[None] | None]] = ContextVar("commits", default=None)
"""Grows by one with each commit that whoever set it is to know of, made or tried."""
_INCREMENTAL: Final = 2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. Every query goes through the actor's organization (api 1.11.6).

    Who `sees_secrets` not is shown none, whatever is asked for: a client with an access token.
    `key_id` is the key that the request came with, if any: what it spends is counted.
    """

    organization_id: str = DEFAULT_ORGANIZATION
    user_id: str = DEFAULT_USER
    sees_secrets: bool = True
    key_id: str | None = None


def committing() -> None:
    """Count a commit; from here on nobody can be sure that nothing was stored."""
    commits = COMMITS.get()
    if commits is not None:
        commits.append(None)


class UniqueViolated(Exception):
    """A unique index refused a row; the caller knows what it means and says so.

    `constraint` names the index (PostgreSQL) or the columns (SQLite); match with `in`.
    """

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class ReferenceMissing(Exception):
    """A foreign key refused a row, because what it points at is not there."""


class Tx(Protocol):
    """An open transaction of one actor. Rows come back by position.

    A statement that fails ends the transaction: later ones raise the same, and so does the
    end of the block, even where the error was caught inside it (PostgreSQL knows it no
    other way). Translate `UniqueViolated` around the statement and let it out, or avoid it
    with ON CONFLICT and the count of changed rows.
    """

    actor: Actor
    sealer: Sealer
    """Seals and opens what is secret, on the way in and out."""

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, sql: str, *args: Value) -> int:
        """Run one statement; return the number of rows it changed."""
        ...

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run one statement for each of `rows`."""
        ...

    async def fetch(self, sql: str, *args: Value) -> list[Row]: ...

    async def fetch_one(self, sql: str, *args: Value) -> Row | None: ...

    async def fetch_value(self, sql: str, *args: Value) -> Any:
        """Return the first column of the first row, null where there is none."""
        ...

    @property
    def statements(self) -> int:
        """How many statements this transaction has run."""
        ...

    @property
    def raw(self) -> Any:
        """The driver's own connection, for what only that driver can do."""
        ...


class OpenTx(ABC):
    """What a transaction is on either engine, whatever runs its statements."""

    def __init__(self, actor: Actor, *, sealer: Sealer) -> None:
        self.actor = actor
        self.sealer = sealer
        self._statements = 0
        self._failure: Exception | None = None

    @property
    def statements(self) -> int:
        return self._statements

    @abstractmethod
    async def fetch(self, sql: str, *args: Value) -> list[Row]: ...

    async def fetch_one(self, sql: str, *args: Value) -> Row | None:
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def fetch_value(self, sql: str, *args: Value) -> Any:
        row = await self.fetch_one(sql, *args)
        return None if row is None else row[0]

    def check(self) -> None:
        """Raise what failed in this transaction: PostgreSQL answers its COMMIT with silence."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """Let no statement follow: the connection is somebody else's from here."""
        self._failure = RuntimeError("The transaction has ended; do this inside its block.")


class Database(Protocol):
    """Where transactions are opened. `close` ends its lifetime; a second call does nothing."""

    url: str

    @property
    def dialect(self) -> Dialect: ...

    def write(self, actor: Actor) -> AbstractAsyncContextManager[Tx]:
        """Open a transaction that changes things; when the block ends it is durable.

        A block that raises or is cancelled leaves nothing. One task opens one at a time.
        """
        ...

    def read(self, actor: Actor, *, long: bool = False) -> AbstractAsyncContextManager[Tx]:
        """Open a snapshot. `long` is for scans: they run off the event loop's thread."""
        ...

    async def close(self) -> None: ...


def to_micros(at: datetime) -> int:
    """Return `at`, which has a zone, as stored."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def optional_micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def optional_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def among(tx: Tx, placeholder: str) -> str:
    """Return SQL that stands after a column: it is among the texts of the JSON array bound there.

    One statement text serves any number of values, so that plans stay cached. PostgreSQL would
    take a set for a hundred rows and rather read whole tables than look so many up; an array
    it takes for ten.
    """
    match tx.dialect:
        case "sqlite":
            return f"IN (SELECT value FROM json_each({placeholder}))"
        case "postgresql":
            return f"= ANY(ARRAY(SELECT jsonb_array_elements_text({placeholder}::jsonb)))"


def unindexed(column: str) -> str:
    """Return SQL for the text in `column` that no index is searched by.

    SQLite, which keeps no statistics, takes all rows of an organization for few and would
    rather look through those than look up a list of ids.
    """
    return f"{column}||''"


def each(tx: Tx, column: str) -> str:
    """Return SQL for the texts in a JSON array, to stand after FROM: each is `item.value`."""
    match tx.dialect:
        case "sqlite":
            return f"json_each({column}) AS item"
        case "postgresql":
            return f"jsonb_array_elements_text({column}::jsonb) AS item(value)"


async def give_back(tx: Tx, *, pages: int) -> int:
    """Cut at most `pages` free pages off an SQLite file; return how many (PostgreSQL: none).

    A file of before it could be done keeps its free pages, and fills them again.
    """
    if tx.dialect == "postgresql" or await tx.fetch_value("PRAGMA auto_vacuum") != _INCREMENTAL:
        return 0
    before: int = await tx.fetch_value("PRAGMA freelist_count")
    await tx.fetch(f"PRAGMA incremental_vacuum({pages})")
    return before - await tx.fetch_value("PRAGMA freelist_count")


def containing(tx: Tx, column: str, placeholder: str) -> str:
    """Return SQL that says whether `column` holds the text at `placeholder`, in any case."""
    match tx.dialect:
        case "sqlite":
            return f"instr(fold({column}), fold({placeholder})) > 0"
        case "postgresql":
            return f"strpos(lower({column}), lower({placeholder})) > 0"


def now_micros() -> int:
    """Return the present time as stored."""
    return to_micros(datetime.now(UTC))
