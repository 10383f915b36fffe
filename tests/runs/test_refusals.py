"""A database that refuses: nothing is half stored, and what was taken in is done in the end."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import pytest

from eunoe.domain.compaction import is_summary
from eunoe.errors import DatabaseUnreachable, DiskFull
from eunoe.runs import jobs
from eunoe.runs.runner import Outcome, Runner
from eunoe.store.db import Dialect, Row
from eunoe.store.postgresql_connection import session
from tests.crash.invariants import faults
from tests.runs.conftest import ACTOR, World, running, toolboxes
from tests.runs.faulty import Fault, FaultyDatabase, When

pytestmark = pytest.mark.anyio

_TALK = (
    'CALLS [{"name": "count", "arguments": {"n": 1}},'
    ' {"name": "core_memory_append", "arguments": {"label": "human", "content": "tea"}},'
    ' {"name": "count", "arguments": {"n": 2}}]'
)
_LARGE = "x" * 400_000
_HALF = "and so on and so forth " * 400


@pytest.fixture
async def faulty(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    """A world whose runner works on a database that can be told to fail."""
    monkeypatch.setattr(jobs, "LOOK", timedelta(seconds=0.2))
    await world.runner.stop()
    db = FaultyDatabase(world.db)
    runner = Runner(db, models=world.registry, toolboxes=toolboxes(world.tools), grace_s=0)
    async with running(runner):
        yield replace(world, db=db, runner=runner)


async def outcome_of(world: World, run_id: str) -> Outcome:
    """Fold the run, again where its readers were told that it is held up."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await world.runner.fold(ACTOR, run_id)
            except (DiskFull, DatabaseUnreachable):
                await asyncio.sleep(0)


async def holds_after(world: World, run_id: str) -> None:
    outcome = await outcome_of(world, run_id)
    assert outcome.reason == "end_turn"
    counted = [arguments["n"] for name, arguments in world.tools.calls if name == "count"]
    assert sorted(counted) == sorted(set(counted))


@pytest.mark.rule("G-1", "G-2", "G-14", "G-17")
@pytest.mark.parametrize(
    ("when", "error", "tokens"),
    [
        ("before", DatabaseUnreachable, False),
        ("before", DiskFull, True),
        ("instead", DiskFull, False),
        ("instead", None, False),
        ("after", DatabaseUnreachable, True),
    ],
)
async def test_a_refusal_at_any_transaction_of_a_run_only_delays_it(
    faulty: World, when: When, error: type[DatabaseUnreachable | DiskFull] | None, tokens: bool
) -> None:
    db = faulty.db
    assert isinstance(db, FaultyDatabase)
    nth, met = 0, True
    while met:
        nth += 1
        agent = await faulty.agent()
        faulty.tools.calls.clear()
        submitted = await faulty.submit(agent, _TALK, stream_tokens=tokens)
        db.fault = fault = Fault(nth=nth, when=when, error=error)
        await holds_after(faulty, submitted.run.id)
        met, db.fault = fault.met, None
        assert (await faulty.say(agent, "SAY on")).reason == "end_turn"
    assert nth > 5
    assert await faults(db) == []


@pytest.mark.rule("G-1", "G-2", "C6")
async def test_a_refusal_in_a_compaction_only_delays_its_run(faulty: World) -> None:
    db = faulty.db
    assert isinstance(db, FaultyDatabase)
    agent = await faulty.agent()
    small = replace(agent.model, model="scripted-4k", context_window=4_096)
    nth, met = 0, True
    while met:
        nth += 1
        agent = await faulty.agent(model=small)
        await faulty.say(agent, f"SAY much\n{_HALF}")
        submitted = await faulty.submit(agent, f"SAY more\n{_HALF}")
        db.fault = fault = Fault(nth=nth, when="instead", error=DatabaseUnreachable)
        assert (await outcome_of(faulty, submitted.run.id)).reason == "end_turn"
        met, db.fault = fault.met, None
    assert any(is_summary(message) for message in await faulty.window(agent))
    assert nth > 2
    assert await faults(db) == []


@pytest.mark.rule("G-3")
@pytest.mark.parametrize("error", [DatabaseUnreachable, DiskFull])
async def test_a_request_that_cannot_be_stored_has_no_effect(
    faulty: World, error: type[DatabaseUnreachable | DiskFull]
) -> None:
    db = faulty.db
    assert isinstance(db, FaultyDatabase)
    agent = await faulty.agent()
    before = await faulty.window(agent)
    db.fault = Fault(nth=1, when="instead", error=error)

    with pytest.raises(error):
        await faulty.submit(agent, "SAY lost")

    assert await faulty.window(agent) == before
    assert (await faulty.say(agent, "SAY on")).reason == "end_turn"


async def limit_pages(world: World, spare: int | None) -> None:
    """Let the SQLite file grow by at most `spare` pages, or as it likes."""
    async with world.db.write(ACTOR) as tx:
        pages: int = await tx.fetch_value("PRAGMA page_count")
        most = 1_000_000 if spare is None else pages + spare
        await tx.fetch_value(f"PRAGMA max_page_count = {most}")


@pytest.mark.rule("G-2", "G-3", "G-14")
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_on_a_full_disk_a_request_is_refused_and_nothing_is_half_stored(
    world: World, dialect: Dialect
) -> None:
    agent = await world.agent()
    await world.say(agent, "SAY before")
    window = await world.window(agent)
    await limit_pages(world, 4)

    with pytest.raises(DiskFull):
        await world.submit(agent, f"SAY {_LARGE}")

    assert await world.window(agent) == window
    await limit_pages(world, None)
    assert (await world.say(agent, "SAY after")).reason == "end_turn"
    assert await faults(world.db) == []


@pytest.mark.rule("G-1", "G-9")
async def test_a_run_that_is_refused_beside_another_does_not_wait_for_a_scan(faulty: World) -> None:
    busy, refused = await faulty.agent(), await faulty.agent()
    await faulty.submit(busy, "CALL wait {}")
    await faulty.tools.entered.wait()
    assert isinstance(faulty.db, FaultyDatabase)
    # The first is the request's own, the second the end of its run.
    faulty.db.fault = Fault(nth=2, when="before", error=DatabaseUnreachable)
    submitted = await faulty.submit(refused, "SAY on")
    async with asyncio.timeout(jobs.SCAN_S / 2):
        assert (await outcome_of(faulty, submitted.run.id)).reason == "end_turn"
    assert faulty.db.fault.met


@pytest.mark.rule("G-1", "G-2", "G-8", "G-14")
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_run_that_fills_the_disk_tells_its_readers_and_goes_on_when_there_is_room(
    world: World, dialect: Dialect
) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, f'CALL count {{"text": "{_LARGE}"}} SLOW 20')
    await limit_pages(world, 4)

    with pytest.raises(DiskFull):
        await asyncio.wait_for(world.runner.fold(ACTOR, submitted.run.id), 20)

    await limit_pages(world, None)
    assert (await outcome_of(world, submitted.run.id)).reason == "end_turn"
    assert (await world.say(agent, "SAY after")).reason == "end_turn"
    assert await faults(world.db) == []


@pytest.mark.rule("G-1", "G-9", "G-14")
@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_server_whose_connections_are_all_cut_goes_on(
    world: World, dialect: Dialect
) -> None:
    agents = [await world.agent() for _ in range(4)]
    for _ in range(3):
        submitted = [await world.submit(agent, f"SLOW 10 {_TALK}") for agent in agents]
        await _cut(world.db.url)
        for one in submitted:
            assert (await outcome_of(world, one.run.id)).reason == "end_turn"
    async with asyncio.timeout(20):
        assert (await world.say(agents[0], "SAY on")).reason == "end_turn"
    assert await faults(world.db) == []


@pytest.mark.rule("G-9", "G-25")
@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_queue_that_lost_its_connection_hears_of_new_work_again(
    world: World, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody looks for work now: it is heard of, or not found.
    monkeypatch.setattr(jobs, "LOOK", timedelta(seconds=60))
    monkeypatch.setattr(jobs, "SCAN_S", 60.0)
    await world.runner.stop()
    agent = await world.agent()
    deaf = replace(world, runner=world.successor())
    async with running(deaf.runner), asyncio.timeout(20):
        await _listening(world.db.url)
        assert (await deaf.say(agent, "SAY before", background=True)).reason == "end_turn"
        await _cut(world.db.url)
        await _listening(world.db.url)
        assert (await deaf.say(agent, "SAY after", background=True)).reason == "end_turn"


async def _listening(url: str) -> None:
    """Wait until somebody listens for new work."""
    async with session(url) as connection:
        found: list[Row] = []
        while not found:
            found = await connection.fetch(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'idle' AND query LIKE 'LISTEN%'"
            )


async def _cut(url: str) -> None:
    """End every connection of the server to its database, as a restart of PostgreSQL does."""
    async with session(url) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
