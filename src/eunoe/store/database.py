"""Open a database, bring it up to this version, look after it."""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never
from urllib.parse import urlsplit

from eunoe.errors import DatabaseNewer, DatabaseUnreachable, DatabaseUrlInvalid
from eunoe.store import sqlite
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.migrations import HEAD, REVISIONS
from eunoe.store.migrations.stored import is_only_wider, jobs_are_current, stored_revision
from eunoe.store.sealing import NO_KEYS, Sealer
from eunoe.store.sqlite_lock import hold

if TYPE_CHECKING:
    from eunoe.store.postgresql import PostgresqlDatabase

_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with a database: a stable `code`, and a sentence that says what.

    `mended` is a sentence that says what was done about it, null where nothing was.
    """

    code: str
    message: str
    mended: str | None = None


async def open_database(
    url: str, *, sealer: Sealer = NO_KEYS
) -> "sqlite.SqliteDatabase | PostgresqlDatabase":
    """Open `sqlite:///path` (four slashes where absolute) or `postgresql://…`.

    Raises `DatabaseUrlInvalid` and `DatabaseUnreachable`. The folder of an SQLite file is
    made; the schema is not looked at (`upgrade`).
    Without a `sealer` secrets can be neither read nor stored.
    """
    match located(url):
        case str() as normal:
            from eunoe.store import postgresql  # noqa: PLC0415 -- its driver is slow to import

            return await postgresql.connect(normal, sealer=sealer)
        case path:
            return sqlite.SqliteDatabase(path, sealer=sealer)


def located(url: str) -> str | Path:
    """Return the file that a URL names, or PostgreSQL's own form of it."""
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme in {"postgresql", "postgres"}:
        return "postgresql:" + url.partition(":")[2]
    path = url.removeprefix(_SQLITE)
    if scheme != "sqlite" or path in {url, "", ":memory:"}:
        raise DatabaseUrlInvalid
    return _file(path)


def _file(path: str) -> Path:
    file = Path(path).expanduser().absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnreachable(
            f"The folder {file.parent} cannot be made: {error.strerror}."
        ) from error
    return file


@asynccontextmanager
async def opened(
    url: str, *, sealer: Sealer = NO_KEYS
) -> "AsyncGenerator[sqlite.SqliteDatabase | PostgresqlDatabase]":
    """Open a database, bring it up to this version, and close it after the block."""
    db = await open_database(url, sealer=sealer)
    try:
        await upgrade(db)
        yield db
    finally:
        await db.close()


@contextmanager
def served(url: str) -> Generator[None]:
    """Be the one server of an SQLite file; two would take up each other's runs as a dead one's.

    Raises `DatabaseInUse` where there is one. PostgreSQL has as many as there are.
    """
    match located(url):
        case str():
            yield
        case path:
            lock = hold(path, alone=True, suffix="server")
            try:
                yield
            finally:
                os.close(lock)


async def version(db: Database) -> str | None:
    """Return the revision of the schema, null where there is none yet."""
    async with db.read(Actor()) as tx:
        return await stored_revision(tx)


async def upgrade(db: "sqlite.SqliteDatabase | PostgresqlDatabase") -> None:
    """Bring the schema up to this version; raise `DatabaseNewer` where it is past it.

    One that is only wider is taken as it is, so that servers can be replaced one by one.
    Servers that start at once upgrade once: the first holds a lock, the others find it done.
    """
    async with db.read(Actor()) as tx:
        stored = await stored_revision(tx)
        if stored is not None and stored not in REVISIONS:
            if await is_only_wider(tx, stored):
                return
            raise DatabaseNewer(revision=stored)
        current = stored == HEAD and await jobs_are_current(tx)
    if not current:
        # Only here, because Alembic and SQLAlchemy are half of the time a start may take.
        from eunoe.store.migrations.apply import apply  # noqa: PLC0415 -- as said above

        await apply(db)


async def check(db: Database) -> list[Finding]:
    """Return what is wrong with the database; an empty list says that nothing was found."""
    try:
        return await _check(db)
    except DatabaseUnreachable as error:
        # A damaged file may stop the search for damage.
        return [Finding(code="file_damaged", message=str(error))]


async def _check(db: Database) -> list[Finding]:
    async with db.read(Actor(), long=True) as tx:
        stored = await stored_revision(tx)
        if stored != HEAD and (
            stored is None or stored in REVISIONS or not await is_only_wider(tx, stored)
        ):
            return [_version_finding(stored)]
        match tx.dialect:
            case "sqlite":
                findings = await _check_sqlite(tx)
            case "postgresql":
                findings = await _check_postgresql(tx)
            case _:
                assert_never(tx.dialect)
        return findings + await _check_rows(tx)


def _version_finding(stored: str | None) -> Finding:
    if stored is None:
        return Finding(code="schema_missing", message="The database is empty; upgrade it.")
    if stored in REVISIONS:
        return Finding(
            code="schema_old",
            message=f"The schema is at revision {stored} and this version wants {HEAD}; "
            "upgrade the database.",
        )
    return Finding(code=DatabaseNewer.code, message=str(DatabaseNewer()))


async def _check_sqlite(tx: Tx) -> list[Finding]:
    findings = [
        Finding(code="file_damaged", message=str(row[0]))
        for row in await tx.fetch("PRAGMA integrity_check")
        if row[0] != "ok"
    ]
    for table, row_id, target, _ in await tx.fetch("PRAGMA foreign_key_check"):
        findings.append(
            Finding(
                code="reference_missing",
                message=f"Row {row_id} of {table} points at a row of {target} that is not there.",
            )
        )
    return findings


async def _check_postgresql(tx: Tx) -> list[Finding]:
    findings: list[Finding] = []
    if await tx.fetch_value("SELECT 1 FROM pg_extension WHERE extname = 'vector'") is None:
        findings.append(
            Finding(code="extension_missing", message="The extension pgvector is not installed.")
        )
    if not await jobs_are_current(tx):
        findings.append(
            Finding(code="jobs_old", message="The job engine's tables are old; upgrade them.")
        )
    return findings


async def _check_rows(tx: Tx) -> list[Finding]:
    """Check that each entry of a message list has its message (a key that was off says so too)."""
    lost = await tx.fetch(
        "SELECT list_entries.list_id, COUNT(*) FROM list_entries LEFT JOIN messages"
        " ON messages.seq = list_entries.message_seq WHERE messages.seq IS NULL"
        " GROUP BY list_entries.list_id"
    )
    return [
        Finding(code="message_lost", message=f"List {row[0]} has {row[1]} messages that are gone.")
        for row in lost
    ]
