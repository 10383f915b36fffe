"""One connection to an SQLite file: how it is opened, and what its errors mean."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, cast

import apsw

from eunoe.errors import BackupExists, DatabaseUnreachable, DiskFull
from eunoe.store.db import ReferenceMissing, UniqueViolated, Value

BUSY_TIMEOUT_MS: Final = 5_000
_WRITER_CACHE_KIB: Final = 16_384
_READER_CACHE_KIB: Final = 4_096
_READER_MAP_BYTES: Final = 1024**3


class Cursor(Protocol):
    def fetchall(self) -> list[Sequence[Any]]: ...


class Backup(Protocol):
    def step(self, npages: int = -1) -> bool: ...
    def finish(self) -> None: ...


class Connection(Protocol):
    """What the driver uses of `apsw.Connection`, whose own annotations are incomplete."""

    @property
    def in_transaction(self) -> bool: ...
    def execute(
        self, statements: str, bindings: Mapping[str, Value] | None = None, /
    ) -> Cursor: ...
    def executemany(
        self, statements: str, sequenceofbindings: Iterable[Mapping[str, Value]], /
    ) -> Cursor: ...
    def changes(self) -> int: ...
    def total_changes(self) -> int: ...
    def interrupt(self) -> None: ...
    def set_busy_timeout(self, milliseconds: int) -> None: ...
    def config(self, op: int, value: int, /) -> int: ...
    def enable_load_extension(self, enable: bool) -> None: ...
    def load_extension(self, filename: str) -> None: ...
    def create_scalar_function(
        self, name: str, callback: Callable[..., Value], numargs: int, *, deterministic: bool
    ) -> None: ...
    def backup(self, database: str, source: "Connection", source_database: str, /) -> Backup: ...
    def close(self) -> None: ...


@cache
def _vector_extension() -> str:
    """Return the path of sqlite-vec; importing it would import NumPy wherever that is there."""
    spec = find_spec("sqlite_vec")
    if spec is None or spec.origin is None:
        raise DatabaseUnreachable("The package sqlite-vec is missing; install Eunoe again.")
    return str(Path(spec.origin).with_name("vec0"))


def connect(path: Path, *, read_only: bool = False, mapped: bool = False) -> Connection:
    """Open the file with the settings and extensions that the schema relies on.

    A reader that looks at many pages is better `mapped`. Raises `DatabaseUnreachable` where
    there is no such file to open or it is not a database. A writer never waits for another
    process's lock by itself: it would do so on the event loop's thread (see `begin_patiently`).
    """
    try:
        if not read_only:
            # Made before SQLite would, whose journal files take over these permissions.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
        connection = cast(
            "Connection", apsw.Connection(str(path), flags=flags, statementcachesize=512)
        )
        _prepare(connection, read_only=read_only, mapped=mapped)
    except (OSError, apsw.Error) as error:
        raise DatabaseUnreachable(
            f"SQLite cannot open {path}: {error}. Check EUNOE_DATABASE_URL, that the folder "
            "exists and that this user may write there."
        ) from error
    return connection


def _prepare(connection: Connection, *, read_only: bool, mapped: bool) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    # Else a statement is planned anew at each execution, for the values bound to it (STAT4).
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.enable_load_extension(True)
    connection.load_extension(_vector_extension())
    connection.enable_load_extension(False)
    # SQLite's own `lower` knows ASCII alone.
    connection.create_scalar_function("fold", _fold, 1, deterministic=True)
    connection.execute("PRAGMA temp_store = MEMORY")
    if read_only:
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
        if mapped:
            # A search looks at more pages than a cache holds; mapped ones are not copied first.
            # After each commit of another the map is made anew, which short readings would feel.
            connection.execute(f"PRAGMA mmap_size = {_READER_MAP_BYTES}")
        return
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    # Of a new file only: what is deleted can be given back to the disk, as `db.give_back` does.
    connection.set_busy_timeout(0)
    with suppress(apsw.BusyError):  # Who makes the file at this moment has said so already.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.set_busy_timeout(0)


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def begin_patiently(connection: Connection) -> None:
    """Begin to write, waiting while another process (a backup, a shell) holds the file."""
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    try:
        connection.execute("BEGIN IMMEDIATE")
    finally:
        connection.set_busy_timeout(0)


def copy(source: Path, target: Path) -> None:
    """Copy the database as it is now to the new file `target`; writers go on meanwhile.

    In one step, which reads one snapshot: a copy made in several starts over at each
    write between them. The name appears when the copy is whole. Raises `BackupExists`,
    `apsw.Error` and `OSError`.
    """
    if target.exists():
        raise BackupExists(path=str(target))
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        _copy_pages(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _copy_pages(source: Path, target: Path) -> None:
    reader = connect(source, read_only=True)
    writer = cast("Connection", apsw.Connection(str(target)))
    try:
        backup = writer.backup("main", reader, "main")
        try:
            backup.step()
        finally:
            backup.finish()
    finally:
        writer.close()
        reader.close()


def meaning(error: apsw.Error) -> Exception:
    """Return what `error` says in our words, or itself where it is a mistake in our SQL."""
    match error:
        case apsw.ConstraintError():
            return _constraint(error)
        case apsw.FullError():
            return DiskFull()
        case apsw.BusyError():
            return DatabaseUnreachable(
                "Another process holds the SQLite file; stop it, or wait until it is done."
            )
        case apsw.IOError() | apsw.CantOpenError() | apsw.CorruptError() | apsw.NotADBError():
            return DatabaseUnreachable(f"SQLite cannot use its file: {error}.")
        case _:
            return error


def _constraint(error: apsw.ConstraintError) -> Exception:
    match getattr(error, "extendedresult", None):
        case apsw.SQLITE_CONSTRAINT_UNIQUE | apsw.SQLITE_CONSTRAINT_PRIMARYKEY:
            return UniqueViolated(str(error))
        case apsw.SQLITE_CONSTRAINT_FOREIGNKEY:
            return ReferenceMissing(str(error))
        case _:
            return error
