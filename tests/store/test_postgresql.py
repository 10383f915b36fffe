"""What only the driver for a server has to deal with: connections, and others who write."""

import asyncio
from secrets import token_hex

import pytest

from eunoe.errors import DatabaseUnreachable, ValueTooLong, WriteConflict
from eunoe.store.database import open_database
from eunoe.store.db import Actor, Database, Dialect
from eunoe.store.postgresql_connection import session

pytestmark = pytest.mark.anyio

ACTOR = Actor()


@pytest.fixture(params=["postgresql"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """This engine alone."""
    return request.param


async def test_a_deadlock_is_a_conflict_for_one(notes: Database) -> None:
    async with notes.write(ACTOR) as tx:
        await tx.execute_many(
            "INSERT INTO notes (id, writer) VALUES ($1, $2)", [("a", "none"), ("b", "none")]
        )
    both_hold = asyncio.Barrier(2)

    async def write(name: str, first: str, then: str) -> None:
        async with notes.write(ACTOR) as tx:
            await tx.execute("SET LOCAL deadlock_timeout = '10ms'")
            await tx.execute("UPDATE notes SET writer = $1 WHERE id = $2", name, first)
            await both_hold.wait()
            await tx.execute("UPDATE notes SET writer = $1 WHERE id = $2", name, then)

    outcomes = await asyncio.gather(
        write("one", "a", "b"), write("two", "b", "a"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [WriteConflict]
    winner = "one" if outcomes[0] is None else "two"
    async with notes.read(ACTOR) as tx:
        rows = await tx.fetch("SELECT writer FROM notes")
    assert [row[0] for row in rows] == [winner, winner]


async def test_a_broken_connection_is_told_and_replaced(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR) as tx:
            await tx.execute("INSERT INTO notes (id, writer) VALUES ('a', 'b')")
            process = await tx.fetch_value("SELECT pg_backend_pid()")
            async with session(notes.url) as other:
                await other.execute(f"SELECT pg_terminate_backend({process}, 5000)")
            await tx.fetch_value("SELECT 1")

    with pytest.raises(DatabaseUnreachable):
        await write()
    async with notes.read(ACTOR) as tx:
        assert await tx.fetch_value("SELECT COUNT(*) FROM notes") == 0


async def test_who_hangs_in_a_transaction_loses_it_and_what_it_locked(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR) as tx:
            await tx.execute("SET LOCAL idle_in_transaction_session_timeout = '20ms'")
            await tx.execute("INSERT INTO notes (id, writer) VALUES ('a', 'b')")
            process = await tx.fetch_value("SELECT pg_backend_pid()")
            async with session(notes.url) as other:
                there = "SELECT 1 FROM pg_stat_activity WHERE pid = $1"
                while await other.execute(there, process) != "SELECT 0":
                    pass
            await tx.fetch_value("SELECT 1")

    async with notes.read(ACTOR) as tx:
        assert await tx.fetch_value("SHOW idle_in_transaction_session_timeout") == "15s"
        assert await tx.fetch_value("SHOW transaction_timeout") == "40s"
    with pytest.raises(DatabaseUnreachable):
        await write()


async def test_a_connection_that_breaks_at_the_commit_is_told(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR) as tx:
            process = await tx.fetch_value("SELECT pg_backend_pid()")
            async with session(notes.url) as other:
                await other.execute(f"SELECT pg_terminate_backend({process}, 5000)")

    with pytest.raises(DatabaseUnreachable):
        await write()


@pytest.mark.rule("api-3.2")
async def test_a_value_too_long_to_be_found_by_is_told(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR) as tx:
            key = token_hex(4_000)
            await tx.execute("INSERT INTO notes (id, writer) VALUES ($1, 'b')", key)

    with pytest.raises(ValueTooLong):
        await write()


async def test_what_was_planned_while_a_table_was_small_does_not_scan_it_later(
    notes: Database,
) -> None:
    async with notes.write(ACTOR) as tx:
        await tx.execute("INSERT INTO notes (id, writer) VALUES ('a', 'none')")
        await tx.execute("ANALYZE notes")
    async with notes.read(ACTOR) as tx:
        rows = await tx.fetch("EXPLAIN SELECT writer FROM notes WHERE id = 'a'")
        kept = await tx.fetch_value("SHOW plan_cache_mode")
    assert "Seq Scan" not in "".join(row[0] for row in rows)
    assert kept == "force_generic_plan"


async def test_an_error_of_the_block_passes_as_it_is(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR):
            raise FileNotFoundError("mine")

    with pytest.raises(FileNotFoundError, match="mine"):
        await write()


async def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachable) as refused:
        await open_database("postgresql://someone:secret@127.0.0.1:1/nothing")
    assert "secret" not in str(refused.value)
