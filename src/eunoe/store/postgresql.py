"""The driver for a PostgreSQL server with pgvector, through asyncpg's pool."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from eunoe import telemetry
from eunoe.store.db import Actor, Dialect, OpenTx, Row, Value, committing
from eunoe.store.postgresql_connection import DRIVER_ERRORS, Connection, Pool, meaning, open_pool
from eunoe.store.sealing import NO_KEYS, Sealer

T = TypeVar("T")

_ACQUIRE_TIMEOUT_S: Final = 30


class PostgresqlTx(OpenTx):
    dialect: Dialect = "postgresql"

    def __init__(self, connection: Connection, actor: Actor, *, sealer: Sealer = NO_KEYS) -> None:
        super().__init__(actor, sealer=sealer)
        self._connection = connection

    @property
    def raw(self) -> Any:
        return self._connection

    async def execute(self, sql: str, *args: Value) -> int:
        done = await self._run(lambda: self._connection.execute(sql, *args))
        count = done.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        await self._run(lambda: self._connection.executemany(sql, list(rows)))

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        return await self._run(lambda: self._connection.fetch(sql, *args))

    async def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        self.check()
        self._statements += 1
        try:
            return await work()
        except (OSError, *DRIVER_ERRORS) as error:
            self._failure = meaning(error, closed=self._connection.is_closed())
            raise self._failure from error


class PostgresqlDatabase:
    """A lifetime around a connection pool."""

    dialect: Dialect = "postgresql"

    def __init__(self, url: str, pool: Pool, *, sealer: Sealer = NO_KEYS) -> None:
        self.url = url
        self.pool = pool
        self.sealer = sealer

    @asynccontextmanager
    async def write(self, actor: Actor) -> AsyncGenerator[PostgresqlTx]:
        async with self._transaction(actor, isolation="read_committed", readonly=False) as tx:
            yield tx
            committing()

    @asynccontextmanager
    async def read(self, actor: Actor, *, long: bool = False) -> AsyncGenerator[PostgresqlTx]:
        _ = long  # Statements wait for the server without holding the event loop, all of them.
        async with self._transaction(actor, isolation="repeatable_read", readonly=True) as tx:
            yield tx

    @asynccontextmanager
    async def _transaction(
        self, actor: Actor, *, isolation: str, readonly: bool
    ) -> AsyncGenerator[PostgresqlTx]:
        own: BaseException | None = None
        try:
            with telemetry.Checkout("postgresql") as checkout:
                async with self.pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
                    checkout.got()
                    async with connection.transaction(isolation=isolation, readonly=readonly):
                        tx = PostgresqlTx(connection, actor, sealer=self.sealer)
                        try:
                            yield tx
                            tx.check()
                        except BaseException as error:
                            own = error
                            raise
                        finally:
                            tx.end()
        except (OSError, *DRIVER_ERRORS) as error:
            # What the block raised passes as it is; the rest is of the pool, BEGIN or COMMIT.
            if error is own:
                raise
            raise meaning(error, closed=True) from error

    async def close(self) -> None:
        """Wait until the open transactions have ended, then close; a second call does nothing."""
        await self.pool.close()


async def connect(url: str, *, sealer: Sealer = NO_KEYS) -> PostgresqlDatabase:
    """Open a database; raise `DatabaseUnreachable` when nobody answers."""
    return PostgresqlDatabase(url, await open_pool(url), sealer=sealer)
