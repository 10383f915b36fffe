"""Backups of either engine, and putting one back in the place of a database.

PostgreSQL's are made and read by its own programs, which must be at least as new as the server.
"""

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final, assert_never
from urllib.parse import unquote, urlsplit

import apsw

from eunoe.errors import (
    BackupExists,
    BackupUnreadable,
    DatabaseExists,
    DatabaseInUse,
    DatabaseUnreachable,
    PostgresqlToolFailed,
)
from eunoe.store import postgresql, sqlite
from eunoe.store.database import located
from eunoe.store.migrations import REVISIONS
from eunoe.store.postgresql_connection import session
from eunoe.store.sqlite_connection import connect, copy, meaning
from eunoe.store.sqlite_lock import hold

_DUMP: Final = ("pg_dump", "--format=custom", "--no-owner", "--file")
_STATE: Final = (
    "SELECT to_regclass('alembic_version') IS NOT NULL, (SELECT COUNT(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND pid <> pg_backend_pid())"
)
_RESTORE: Final = (
    "pg_restore",
    "--clean",
    "--if-exists",
    "--no-owner",
    "--single-transaction",
    "--exit-on-error",
)


async def backup(db: sqlite.SqliteDatabase | postgresql.PostgresqlDatabase, path: Path) -> None:
    """Copy the database as it is now to a new file, while it is in use.

    Raises `BackupExists`, `DiskFull` and, on PostgreSQL, `PostgresqlToolFailed`.
    """
    match db:
        case postgresql.PostgresqlDatabase():
            await _dump(db.url, path)
        case sqlite.SqliteDatabase():
            await db.copy(path)
        case _:
            assert_never(db)


async def restore(url: str, path: Path, *, force: bool) -> None:
    """Put a backup in the place of the database at `url`.

    Raises `DatabaseInUse` while anybody has that open, `DatabaseExists` without `force` where
    there is one, and `BackupUnreadable`; whatever it raises, the database is what it was.
    """
    match located(url):
        case str() as normal:
            async with session(normal) as connection:
                ((there, others),) = await connection.fetch(_STATE)
            _check(path, there=there, force=force)
            if others:
                raise DatabaseInUse
            await _called(*_RESTORE, url=normal, file=path)
        case target:
            await asyncio.to_thread(_put_back, path, target, force=force)


def _check(path: Path, *, there: bool, force: bool) -> None:
    if not path.is_file():
        raise BackupUnreadable(f"There is no file {path}.")
    if there and not force:
        raise DatabaseExists


def _put_back(source: Path, target: Path, *, force: bool) -> None:
    _check(source, there=target.exists() and target.stat().st_size > 0, force=force)
    lock = hold(target, alone=True)
    try:
        _replace(source, target)
    finally:
        os.close(lock)


def _replace(source: Path, target: Path) -> None:
    """Check the backup in a copy of it, then put that there under the database's name."""
    part = target.with_name(f"{target.name}.restored")
    part.unlink(missing_ok=True)
    try:
        try:
            copy(source, part)
            copied = connect(part, read_only=True)
            whole = copied.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            ((revision,),) = copied.execute("SELECT version_num FROM alembic_version").fetchall()
            copied.close()
        except (apsw.Error, DatabaseUnreachable, ValueError) as error:
            raise BackupUnreadable(f"{source} is no database of Eunoe: {error}.") from error
        if not whole or revision not in REVISIONS:
            raise BackupUnreadable(f"{source} is damaged, or of a newer version (at {revision}).")
        _drop_journal(target)
        part.replace(target)
    except apsw.Error as error:
        raise meaning(error) from error
    finally:
        part.unlink(missing_ok=True)


def _drop_journal(target: Path) -> None:
    """Have a journal written into its file: one left beside the new file would be taken for its."""
    if target.exists():
        # It may be damaged: that is what a backup is put in its place for.
        with suppress(DatabaseUnreachable):
            connect(target).close()
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


def _part(path: Path) -> Path:
    if path.exists():
        raise BackupExists(path=str(path))
    return path.with_name(f"{path.name}.part")


async def _dump(url: str, path: Path) -> None:
    part = _part(path)
    try:
        await _called(*_DUMP, str(part), url=url)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


async def _called(program: str, *arguments: str, url: str, file: Path | None = None) -> None:
    """Run one of PostgreSQL's programs, its password out of the list of processes."""
    found = shutil.which(program)
    if found is None:
        raise PostgresqlToolFailed(
            f"{program} is not on the PATH; install PostgreSQL's client programs."
        )
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@", 1)).geturl()
    secret = {"PGPASSWORD": unquote(parts.password)} if parts.password else {}
    running = await asyncio.create_subprocess_exec(
        found,
        *arguments,
        f"--dbname={bare}",
        *([str(file)] if file is not None else []),
        env={**os.environ, **secret},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await running.communicate()
    if running.returncode:
        raise PostgresqlToolFailed(f"{program} failed: {said.decode(errors='replace').strip()}")
