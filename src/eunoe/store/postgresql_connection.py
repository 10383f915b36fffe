"""A connection to a PostgreSQL server: how the pool is opened, and what its errors mean."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final, Protocol, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] -- it ships none

from eunoe.errors import DatabaseUnreachable, DiskFull, ValueTooLong, WriteConflict
from eunoe.store.db import ReferenceMissing, Row, UniqueViolated, Value

_POOL_SIZE: Final = 10
_COMMAND_TIMEOUT_S: Final = 60
# A process that hangs inside a transaction would keep whoever takes its runs over waiting.
_IDLE_TIMEOUT: Final = "15s"
# Within a statement it is not idle; PostgreSQL has a limit for that since version 17.
_LIMIT: Final = "SET transaction_timeout = '40s'"
_LIMITED_SINCE: Final = 17

DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Connection(Protocol):
    """What we use of an asyncpg connection, whose own annotations are incomplete."""

    async def execute(self, sql: str, /, *args: Value) -> str: ...
    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]], /) -> None: ...
    async def fetch(self, sql: str, /, *args: Value) -> list[Row]: ...
    def transaction(
        self, *, isolation: str, readonly: bool
    ) -> AbstractAsyncContextManager[object]: ...
    def get_server_version(self) -> tuple[int, ...]: ...
    def is_closed(self) -> bool: ...
    async def close(self) -> None: ...


class Pool(Protocol):
    """What we use of an asyncpg pool."""

    def acquire(self, *, timeout: float) -> AbstractAsyncContextManager[Connection]: ...
    async def close(self) -> None: ...


class _CreatePool(Protocol):
    async def __call__(self, dsn: str, **options: object) -> Pool: ...


class _Connect(Protocol):
    async def __call__(self, dsn: str, **options: object) -> Connection: ...


_create_pool = cast(
    "_CreatePool",
    asyncpg.create_pool,  # pyright: ignore[reportUnknownMemberType] -- asyncpg is untyped
)
_connect = cast(
    "_Connect",
    asyncpg.connect,  # pyright: ignore[reportUnknownMemberType] -- asyncpg is untyped
)


async def open_pool(url: str) -> Pool:
    """Open a pool on `url`; raise `DatabaseUnreachable` when nobody answers."""
    with _reaching():
        return await _create_pool(
            url,
            min_size=1,
            max_size=_POOL_SIZE,
            init=limited,
            reset=_keep_session,
            statement_cache_size=512,
            command_timeout=_COMMAND_TIMEOUT_S,
            # Our statements are small: to compile or to plan one costs more than to run it.
            server_settings={
                "application_name": "eunoe",
                "jit": "off",
                "plan_cache_mode": "force_generic_plan",
                # A plan that was made while a table was small must not scan it when it has grown.
                "enable_seqscan": "off",
                # Its pages are in memory or on disks that seek for nothing: an index that has
                # rows in their order is better than a sort.
                "random_page_cost": "1.1",
                "idle_in_transaction_session_timeout": _IDLE_TIMEOUT,
            },
        )


async def limited(connection: Connection) -> None:
    """Set what a connection of the pool must have and no setting of its start can say."""
    if connection.get_server_version()[0] >= _LIMITED_SINCE:
        await connection.execute(_LIMIT)


@asynccontextmanager
async def session(url: str) -> AsyncGenerator[Connection]:
    """Open one connection beside the pool, for work that may take longer than a request may.

    Raises `DatabaseUnreachable` when nobody answers. What it locked is free when it closes.
    """
    with _reaching():
        connection = await _connect(url, server_settings={"application_name": "eunoe"})
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def _reaching() -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, *DRIVER_ERRORS) as error:
        raise DatabaseUnreachable(
            f"PostgreSQL cannot be reached ({type(error).__name__}); check EUNOE_DATABASE_URL "
            "and that the server runs."
        ) from error


async def _keep_session(connection: object) -> None:
    """Leave a returned connection as it is: we set nothing, and a reset costs a round trip."""


def meaning(error: Exception, *, closed: bool) -> Exception:
    """Return what `error` says in our words, or itself where it is a mistake in our SQL.

    `closed` says that the connection is gone, which asyncpg reports like a misuse.
    """
    match error:
        case asyncpg.IntegrityConstraintViolationError():
            return _constraint(error)
        case asyncpg.SerializationError() | asyncpg.DeadlockDetectedError():
            return WriteConflict()
        case asyncpg.DiskFullError():
            return DiskFull()
        case asyncpg.ProgramLimitExceededError():  # An entry of an index has 2,704 bytes at most.
            return ValueTooLong()
        case (
            asyncpg.PostgresConnectionError()
            | asyncpg.OperatorInterventionError()
            | asyncpg.InsufficientResourcesError()
            | asyncpg.IdleInTransactionSessionTimeoutError()
            | asyncpg.TransactionTimeoutError()
            | asyncpg.InternalClientError()  # What asyncpg says of a connection cut in mid-word.
            | OSError()
        ):
            return DatabaseUnreachable()
        case _:
            lost = closed and isinstance(error, asyncpg.InterfaceError)
            return DatabaseUnreachable() if lost else error


def _constraint(error: asyncpg.IntegrityConstraintViolationError) -> Exception:
    name = str(getattr(error, "constraint_name", None) or "")
    match error:
        case asyncpg.UniqueViolationError():
            return UniqueViolated(name)
        case asyncpg.ForeignKeyViolationError():
            return ReferenceMissing(name)
        case _:
            return error
