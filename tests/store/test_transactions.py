"""What a transaction promises, on both engines: all or nothing, and durable when its block ends."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Literal

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eunoe.errors import DatabaseUnreachable
from eunoe.store.database import open_database
from eunoe.store.db import Actor, Database, ReferenceMissing, Tx, UniqueViolated

pytestmark = pytest.mark.anyio

ACTOR = Actor()
Fate = Literal["ends", "raises", "clashes", "is cancelled"]
_counter = itertools.count()


class BlockFailedError(Exception):
    """Raised by a block of a test."""


async def note(tx: Tx, writer: str, *, count: int = 2) -> None:
    for part in range(count):
        await tx.execute(
            "INSERT INTO notes (id, writer) VALUES ($1, $2)", f"{writer}/{part}", writer
        )


async def writers(db: Database) -> dict[str, int]:
    async with db.read(ACTOR) as tx:
        rows = await tx.fetch("SELECT writer, COUNT(*) FROM notes GROUP BY writer")
    return {row[0]: row[1] for row in rows}


@asynccontextmanager
async def another(db: Database) -> AsyncGenerator[Database]:
    """The same database seen by somebody else, who finds only what is committed."""
    other = await open_database(db.url)
    try:
        yield other
    finally:
        await other.close()


async def finished(*work: Coroutine[None, None, None]) -> list[BaseException | None]:
    async with asyncio.timeout(20):
        return await asyncio.gather(*work, return_exceptions=True)


async def test_what_a_block_wrote_is_there_for_others_when_it_ends(notes: Database) -> None:
    async with notes.write(ACTOR) as tx:
        await note(tx, "one")
    async with another(notes) as other:
        assert await writers(other) == {"one": 2}


async def test_a_block_that_raises_leaves_nothing(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR) as tx:
            await note(tx, "one")
            raise BlockFailedError

    with pytest.raises(BlockFailedError):
        await write()
    assert await writers(notes) == {}
    async with notes.write(ACTOR) as tx:
        await note(tx, "two")
    assert await writers(notes) == {"two": 2}


async def test_many_writers_at_once_are_each_durable_and_whole(notes: Database) -> None:
    async def write(number: int) -> None:
        async with notes.write(ACTOR) as tx:
            await note(tx, f"w{number}")
            await asyncio.sleep(0)
        async with another(notes) as other:
            assert (await writers(other))[f"w{number}"] == 2

    assert await finished(*(write(number) for number in range(30))) == [None] * 30


async def test_one_that_fails_in_a_group_harms_no_other(notes: Database) -> None:
    async def write(number: int) -> None:
        async with notes.write(ACTOR) as tx:
            await note(tx, f"w{number}")
            await asyncio.sleep(0)
            if number % 3 == 1:
                raise BlockFailedError

    outcomes = await finished(*(write(number) for number in range(20)))
    kept = {f"w{number}": 2 for number in range(20) if number % 3 != 1}
    assert await writers(notes) == kept
    assert [outcome is None for outcome in outcomes] == [n % 3 != 1 for n in range(20)]


async def meet(db: Database, name: str, fate: Fate, pauses: int) -> None:
    """Write as `name`, let others come in between, and meet the fate."""
    async with db.write(ACTOR) as tx:
        await note(tx, name)
        for _ in range(pauses):
            await asyncio.sleep(0)
        if fate == "raises":
            raise BlockFailedError
        if fate == "clashes":
            await note(tx, name, count=1)


async def cancelled(work: Coroutine[None, None, None], *, after: int) -> None:
    task = asyncio.ensure_future(work)
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    fates=st.lists(
        st.tuples(
            st.sampled_from(["ends", "raises", "clashes", "is cancelled"]),
            st.integers(min_value=0, max_value=6),
        ),
        min_size=1,
        max_size=12,
    )
)
async def test_whatever_happens_to_each_all_are_whole(
    notes: Database, fates: list[tuple[Fate, int]]
) -> None:
    """Writers that end are stored, those that fail are not, cancelled ones are whole or absent."""
    example = next(_counter)

    named = [(f"{example}/{place}", *fate) for place, fate in enumerate(fates)]
    await finished(
        *(
            cancelled(meet(notes, name, fate, pauses), after=2 * pauses)
            if fate == "is cancelled"
            else meet(notes, name, fate, pauses)
            for name, fate, pauses in named
        )
    )
    found = await writers(notes)
    for name, fate, _ in named:
        match fate:
            case "ends":
                assert found.get(name) == 2
            case "raises" | "clashes":
                assert name not in found
            case "is cancelled":
                assert found.get(name) in {None, 2}


async def test_cancelling_at_any_await_leaves_the_database_free(notes: Database) -> None:
    async def write(name: str) -> None:
        async with notes.write(ACTOR) as tx:
            await note(tx, name)
            await asyncio.sleep(0)

    for after in range(16):
        elder = asyncio.ensure_future(write(f"elder{after}"))
        await cancelled(write(f"cancelled{after}"), after=after)
        async with asyncio.timeout(10):
            await elder
            async with another(notes) as other, other.write(ACTOR) as tx:
                await note(tx, f"other{after}")
            await write(f"after{after}")
    found = await writers(notes)
    assert {f"{who}{n}" for who in ("elder", "other", "after") for n in range(16)} <= set(found)
    assert set(found.values()) == {2}


async def test_a_cancelled_scope_ends_and_leaves_nothing(notes: Database) -> None:
    """A scope of anyio cancels again at each await, the rollback's included."""
    with anyio.CancelScope() as scope:
        async with notes.write(ACTOR) as tx:
            await note(tx, "one")
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert await writers(notes) == {}
    async with asyncio.timeout(10), notes.write(ACTOR) as tx:
        await note(tx, "two")


async def test_a_unique_index_says_so_and_ends_the_transaction(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR) as tx:
            await note(tx, "one")
            await tx.execute("INSERT INTO notes (id, writer) VALUES ('one/0', 'other')")

    with pytest.raises(UniqueViolated) as refused:
        await write()
    assert "notes" in refused.value.constraint
    assert await writers(notes) == {}


async def test_a_missing_reference_says_so(database: Database) -> None:
    with pytest.raises(ReferenceMissing):
        async with database.write(ACTOR) as tx:
            await tx.execute("INSERT INTO agent_tags (agent_id, tag) VALUES ('nobody', 'a')")


async def test_a_failure_that_a_block_swallows_comes_out_of_it(notes: Database) -> None:
    async def write() -> None:
        async with notes.write(ACTOR) as tx:
            await note(tx, "one")
            with suppress(UniqueViolated):
                await note(tx, "one")
            with pytest.raises(UniqueViolated):
                await tx.fetch_value("SELECT 1")

    with pytest.raises(UniqueViolated):
        await write()
    assert await writers(notes) == {}


async def test_a_transaction_is_of_no_use_after_its_block(notes: Database) -> None:
    async with notes.write(ACTOR) as written:
        await note(written, "one")
    async with notes.read(ACTOR) as read:
        await read.fetch_value("SELECT 1")
    for tx in (written, read):
        with pytest.raises(RuntimeError, match="has ended"):
            await tx.fetch_value("SELECT 1")


async def test_a_reader_sees_one_moment(notes: Database) -> None:
    async with notes.read(ACTOR) as tx:
        before = await tx.fetch_value("SELECT COUNT(*) FROM notes")
        async with notes.write(ACTOR) as other:
            await note(other, "one")
        assert before == await tx.fetch_value("SELECT COUNT(*) FROM notes") == 0
    assert await writers(notes) == {"one": 2}


async def test_statements_are_counted(notes: Database) -> None:
    async with notes.write(ACTOR) as tx:
        await note(tx, "one")
        await tx.execute_many(
            "INSERT INTO notes (id, writer) VALUES ($1, $2)", [("a", "b"), ("c", "b")]
        )
        assert tx.statements == 3


async def test_rows_changed_are_counted_without_cascades(notes: Database) -> None:
    async with notes.write(ACTOR) as tx:
        await note(tx, "one", count=3)
        assert await tx.execute("UPDATE notes SET body = 'x' WHERE id <> 'one/0'") == 2
        assert await tx.execute("UPDATE notes SET body = 'x' WHERE id = 'nobody'") == 0
        assert await tx.execute("SELECT * FROM notes") in {0, 3}
        insert = "INSERT INTO notes (id, writer) VALUES ('one/0', 'x') ON CONFLICT DO NOTHING"
        assert await tx.execute(insert) == 0
        assert await tx.execute("DELETE FROM organizations") == 1


async def test_a_long_read_can_be_cancelled(notes: Database) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"
        " SELECT COUNT(*) FROM n"
    )
    for _ in range(6):
        with anyio.move_on_after(0.05) as scope:
            async with notes.read(ACTOR, long=True) as tx:
                await tx.fetch_value(endless)
        assert scope.cancelled_caught
    async with notes.read(ACTOR, long=True) as tx:
        assert await tx.fetch_value("SELECT COUNT(*) FROM notes") == 0


async def test_a_closed_database_takes_nothing(notes: Database) -> None:
    async with notes.write(ACTOR) as tx:
        await note(tx, "one")
    await notes.close()
    await notes.close()
    with pytest.raises(DatabaseUnreachable):
        async with notes.write(ACTOR):
            pytest.fail("A closed database has begun a transaction.")
    with pytest.raises(DatabaseUnreachable):
        async with notes.read(ACTOR):
            pytest.fail("A closed database has begun a transaction.")
    async with another(notes) as other:
        assert await writers(other) == {"one": 2}
