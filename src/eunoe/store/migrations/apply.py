"""Bring a database's schema up to this version: the heavy half, imported when there is work."""

from typing import Final, assert_never, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs] -- it ships none
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import DBSettings, Durability, QueryBuilderEnvironment
from pgqueuer.adapters.persistence.queries import Queries

from eunoe.store.db import Actor
from eunoe.store.migrations import HEAD, jobs_stamp, width_stamp
from eunoe.store.migrations.render import script
from eunoe.store.migrations.stored import stored_revision
from eunoe.store.postgresql import PostgresqlDatabase, PostgresqlTx
from eunoe.store.postgresql_connection import Connection, session
from eunoe.store.sqlite import SqliteDatabase

_LOCK: Final = 0x65756E6F65  # "eunoe"; any number will do that nobody else takes.


async def apply(db: SqliteDatabase | PostgresqlDatabase) -> None:
    """Run the revisions that `db` lacks, all or none; who comes second finds nothing to do."""
    match db:
        case SqliteDatabase():
            await _apply_sqlite(db)
        case PostgresqlDatabase():
            await _apply_postgresql(db)
        case _:
            assert_never(db)


async def _apply_sqlite(db: SqliteDatabase) -> None:
    async with db.write(Actor()) as tx:
        since = await stored_revision(tx)
    while since != HEAD:
        # To write it takes seconds, for which nobody else has to wait.
        revisions = script("sqlite", since=since)
        async with db.write(Actor()) as tx:
            before, since = since, await stored_revision(tx)
            if since == before:
                # Read to its end: SQLite stops at a statement that returns rows, as Alembic's do.
                await tx.fetch(revisions)
                since = HEAD


async def _apply_postgresql(db: PostgresqlDatabase) -> None:
    async with session(db.url) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        async with connection.transaction(isolation="read_committed", readonly=False):
            tx = PostgresqlTx(connection, Actor())
            since = await stored_revision(tx)
            if since != HEAD:
                await tx.execute(script("postgresql", since=since))
                await tx.execute(f"COMMENT ON TABLE alembic_version IS '{width_stamp()}'")
        await _apply_jobs(connection)


async def _apply_jobs(connection: Connection) -> None:
    """Make or change the job engine's tables; it adds enum labels, so in no transaction.

    The queue survives a crash of PostgreSQL. Its log and statistics need not: the run
    rows are the truth of what ran.
    """
    settings = DBSettings(durability=Durability.balanced)
    driver = AsyncpgDriver(cast("asyncpg.Connection", connection))
    await Queries(driver, qbe=QueryBuilderEnvironment(settings)).upgrade()
    await connection.execute(f"COMMENT ON TABLE {settings.queue_table} IS '{jobs_stamp()}'")
