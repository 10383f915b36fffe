"""The embedded driver: one file, one writer connection with group commit, a pool of readers.

Statements run inline on the event loop's thread: handing each to a thread costs
ten times more CPU than the statement itself. Only COMMIT, which waits for the disk,
leaves the thread, and transactions that queued up meanwhile share the next one. Each is
a savepoint inside that shared transaction, so one that fails takes back only itself.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from eunoe.errors import DatabaseUnreachable
from eunoe.store.db import Actor, Dialect, OpenTx, Row, Value, committing
from eunoe.store.sealing import NO_KEYS, Sealer
from eunoe.store.sqlite_connection import Connection, begin_patiently, connect, copy, meaning
from eunoe.store.sqlite_lock import hold

T = TypeVar("T")

_READERS: Final = 4
_NAMES: Final = tuple(str(place) for place in range(1, 100))


class SqliteTx(OpenTx):
    """Statements against one connection; with `scans`, each runs in a thread of it."""

    dialect: Dialect = "sqlite"

    def __init__(
        self,
        connection: Connection,
        actor: Actor,
        *,
        sealer: Sealer = NO_KEYS,
        scans: Executor | None = None,
    ) -> None:
        super().__init__(actor, sealer=sealer)
        self.broken_by: apsw.Error | None = None
        self._connection = connection
        self._scans = scans

    @property
    def raw(self) -> Connection:
        return self._connection

    async def execute(self, sql: str, *args: Value) -> int:
        def run() -> int:
            before = self._connection.total_changes()
            self._connection.execute(sql, _bindings(args))
            # `changes` leaves out what triggers and cascades did, but outlives its statement.
            return 0 if self._connection.total_changes() == before else self._connection.changes()

        return await self._run(run)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        bound = [_bindings(row) for row in rows]
        await self._run(lambda: self._connection.executemany(sql, bound))

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return await self._run(lambda: self._connection.execute(sql, _bindings(args)).fetchall())

    async def _run(self, work: Callable[[], T]) -> T:
        self.check()
        self._statements += 1
        try:
            if self._scans is None:
                return work()
            return await _finished(_start(self._scans, work), interrupt=self._connection.interrupt)
        except apsw.Error as error:
            self.broken_by = error
            self._failure = meaning(error)
            raise self._failure from error


class SqliteDatabase:
    """A lifetime around the file at `path`. One process at a time writes it."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path, *, sealer: Sealer = NO_KEYS) -> None:
        self.path = path
        self.sealer = sealer
        self.url = f"sqlite:///{path}"
        self._writer = connect(path)
        self._lock = hold(path, alone=False)
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None
        # Those whose statements are in the open transaction and who wait for its commit.
        self._group: list[asyncio.Future[None]] = []
        self._commit: asyncio.Task[None] | None = None
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._scans = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-scan")
        self._idle: list[Connection] = []
        self._idle_mapped: list[Connection] = []
        self._closed = False

    @asynccontextmanager
    async def write(self, actor: Actor) -> AsyncGenerator[SqliteTx]:
        if self._holder is not None and self._holder is asyncio.current_task():
            raise RuntimeError("A transaction that writes is open in this task already.")
        async with self._turn:
            self._holder = asyncio.current_task()
            try:
                await self._begin()
                tx = SqliteTx(self._writer, actor, sealer=self.sealer)
                try:
                    yield tx
                    tx.check()
                    committing()
                    if self._group:
                        self._writer.execute("RELEASE one")
                except BaseException:
                    self._undo(tx)
                    raise
                finally:
                    tx.end()
                durable = self._join_group()
            finally:
                self._holder = None
        await durable

    async def _begin(self) -> None:
        self._check_open()
        if self._group:
            self._writer.execute("SAVEPOINT one")
            return
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            await self._begin_patiently()
        except apsw.Error as error:
            raise meaning(error) from error

    async def _begin_patiently(self) -> None:
        try:
            await _finished(_start(self._committer, lambda: begin_patiently(self._writer)))
        except apsw.Error as error:
            raise meaning(error) from error
        except asyncio.CancelledError:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _undo(self, tx: SqliteTx) -> None:
        """Take back the transaction whose turn it is; its elders in the group stay."""
        try:
            if self._writer.in_transaction and self._group:
                self._writer.execute("ROLLBACK TO one; RELEASE one")
            elif self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            else:
                # On a full disk or a failing one SQLite takes back everything by itself.
                self._settle(tx.broken_by or apsw.FullError())
        except apsw.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            self._settle(error)

    def _join_group(self) -> asyncio.Future[None]:
        durable = asyncio.get_running_loop().create_future()
        self._group.append(durable)
        if self._commit is None:
            # It queues for its turn like everybody: who waits already is before it and shares it.
            self._commit = asyncio.create_task(self._commit_group())
        return durable

    async def _commit_group(self) -> None:
        """Commit for the whole group. A task of its own, so that no member's end can stop it."""
        try:
            async with self._turn:
                await self._commit_now()
        finally:
            self._commit = None

    async def _commit_now(self) -> None:
        if not self._group:
            return
        committing = _start(self._committer, self._commit_or_say_why)
        try:
            await _finished(committing)
        finally:
            self._settle(committing.result())

    def _commit_or_say_why(self) -> apsw.Error | None:
        try:
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return error
        return None

    def _settle(self, failed: apsw.Error | None) -> None:
        group, self._group = self._group, []
        for durable in group:
            if durable.done():
                continue
            if failed is None:
                durable.set_result(None)
            else:
                durable.set_exception(meaning(failed))

    @asynccontextmanager
    async def read(self, actor: Actor, *, long: bool = False) -> AsyncGenerator[SqliteTx]:
        self._check_open()
        idle = self._idle_mapped if long else self._idle
        connection = idle.pop() if idle else connect(self.path, read_only=True, mapped=long)
        tx = SqliteTx(connection, actor, sealer=self.sealer, scans=self._scans if long else None)
        try:
            connection.execute("BEGIN")
            yield tx
        finally:
            tx.end()
            self._return(connection, idle)

    def _return(self, connection: Connection, idle: list[Connection]) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if len(idle) < _READERS and not self._closed:
            idle.append(connection)
        else:
            connection.close()

    async def copy(self, target: Path) -> None:
        """Copy what is committed to the new file `target`, beside what goes on.

        Raises `BackupExists` and `DiskFull`; the name appears when the copy is whole.
        """
        self._check_open()
        try:
            await _finished(_start(self._scans, lambda: copy(self.path, target)))
        except apsw.Error as error:
            raise meaning(error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise DatabaseUnreachable("The database is closed; the server is shutting down.")

    async def close(self) -> None:
        """Commit what waits for it, then close the file; a second call does nothing."""
        async with self._turn:
            if self._closed:
                return
            await self._commit_now()
            self._closed = True
            os.close(self._lock)
            for idle in (self._idle, self._idle_mapped):
                while idle:
                    idle.pop().close()
            # Closing copies the journal into the file, which may wait for the disk.
            await _finished(_start(self._committer, self._writer.close))
        if self._commit is not None:
            await asyncio.wait([self._commit])
        self._committer.shutdown(wait=False)
        self._scans.shutdown(wait=False)


def _start(executor: Executor, work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(executor, work)


async def _finished(
    running: asyncio.Future[T], *, interrupt: Callable[[], None] | None = None
) -> T:
    """Wait for the end of what runs in a thread, even when cancelled; then return its result.

    A connection is never left to two at once. `interrupt` makes an end come soon.
    """
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
            if interrupt is not None:
                interrupt()
    if cancelled is None:
        return running.result()
    # Asked for, so that the loop does not report an interrupted statement as forgotten.
    running.exception()
    raise cancelled


def _bindings(args: Sequence[Value]) -> dict[str, Value]:
    return dict(zip(_NAMES, args, strict=False))
