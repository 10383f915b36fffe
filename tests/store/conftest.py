"""A table that tests of transactions can write what they like into."""

import pytest

from eunoe.store.db import Actor, Database

ACTOR = Actor()


@pytest.fixture
async def notes(database: Database) -> Database:
    """A database with a table `notes (id, writer, body)`; `id` is unique."""
    async with database.write(ACTOR) as tx:
        await tx.execute(
            "CREATE TABLE notes (id TEXT PRIMARY KEY, writer TEXT NOT NULL, body TEXT)"
        )
    return database
