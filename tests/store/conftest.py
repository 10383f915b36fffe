"""A table that tests of transactions can write what they like into, and databases of before."""

from collections.abc import AsyncGenerator
from io import StringIO

import pytest
from alembic import command

from eunoe.store.database import open_database
from eunoe.store.db import Actor, Database
from eunoe.store.migrations.render import configuration
from eunoe.store.postgresql import PostgresqlDatabase
from eunoe.store.sqlite import SqliteDatabase

ACTOR = Actor()


@pytest.fixture
async def notes(database: Database) -> Database:
    """A database with a table `notes (id, writer, body)`; `id` is unique."""
    async with database.write(ACTOR) as tx:
        await tx.execute(
            "CREATE TABLE notes (id TEXT PRIMARY KEY, writer TEXT NOT NULL, body TEXT)"
        )
    return database


@pytest.fixture
async def older(
    empty_database_url: str, request: pytest.FixtureRequest
) -> AsyncGenerator[SqliteDatabase | PostgresqlDatabase]:
    """A database as the revision that is its parameter left it."""
    db = await open_database(empty_database_url)
    written = StringIO()
    command.upgrade(configuration(db.dialect, into=written), f"base:{request.param}", sql=True)
    async with db.write(ACTOR) as tx:
        if tx.dialect == "sqlite":
            await tx.fetch(written.getvalue())
        else:
            await tx.execute(written.getvalue())
    yield db
    await db.close()
