"""A process hears from PostgreSQL what others do, on one connection, and looks when that was lost."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from pgqueuer.adapters.persistence.qb import DBSettings
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.types import QueueEntrypoint, QueueManagerId

from eunoe.domain.events import Shown
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Text
from eunoe.domain.runs import RunOptions
from eunoe.runs import feed as feeds
from eunoe.runs import watch as watching
from eunoe.runs.feed import Feed
from eunoe.runs.jobs import RUN, Ears
from eunoe.runs.outcome import folded
from eunoe.runs.queue import put_in
from eunoe.runs.queue_driver import Looks, PatientDriver
from eunoe.runs.submit import Submission, submit
from eunoe.store import runs
from eunoe.store.db import Actor, Database, Dialect, Tx
from eunoe.store.notices import SAID
from eunoe.store.paging import Page
from eunoe.store.postgresql_connection import session
from eunoe.store.runs import RunFilter
from tests.runs.conftest import ACTOR, World
from tests.runs.faulty import Unqueued, worker

pytestmark = pytest.mark.anyio

_SOON_S = 20
_NEVER_S = 3_600
_JOBS = DBSettings().channel
_DISPATCHER = QueueManagerId(uuid4())
_CUT_OFF = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


@pytest.fixture(params=["postgresql"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """The engine of several processes."""
    return request.param


@pytest.fixture
async def elsewhere(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Feed]:
    """The feed of a process that carries nothing out, and that never looks without being told."""
    monkeypatch.setattr(feeds, "_LOOK_S", _NEVER_S)
    monkeypatch.setattr(feeds, "_POLL_S", _NEVER_S)
    feed = Feed(world.db)

    def grown(run_id: str | bytes | bytearray) -> None:
        feed.grown(str(run_id))

    driver = PatientDriver(
        cast("Any", world.db).pool, Ears(heard={SAID: grown}, listening=feed.listening)
    )
    async with driver:
        await driver.add_listener("nothing", lambda _: None)
        yield feed


@pytest.mark.rule("G-4", "G-25", "streaming-4.6")
@pytest.mark.parametrize("opened", [True, False])
async def test_a_reader_is_woken_by_notices_alone(
    world: World, elsewhere: Feed, opened: bool
) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "SLOW 20 SAY one two three", stream_tokens=True)
    if opened:  # As where the request came in and another process took the run.
        async with elsewhere.opening(submitted.run):
            pass
    async with asyncio.timeout(_SOON_S):
        outcome = await folded(elsewhere.read(ACTOR, submitted.run.id), submitted.run.id)
    assert outcome == await world.runner.fold(ACTOR, submitted.run.id)
    assert outcome.reason == "end_turn"


@dataclass(slots=True)
class _Late:
    """A database that tells late of each commit: what follows on it has happened by then."""

    url: str
    db: Database
    follows: Callable[[], Awaitable[None]]

    @property
    def dialect(self) -> Dialect:
        return self.db.dialect

    @asynccontextmanager
    async def write(self, actor: Actor) -> AsyncGenerator[Tx]:
        async with self.db.write(actor) as tx:
            yield tx
        await self.follows()

    def read(self, actor: Actor, *, long: bool = False) -> AbstractAsyncContextManager[Tx]:
        return self.db.read(actor, long=long)

    async def close(self) -> None:
        await self.db.close()


@pytest.mark.rule("G-4", "G-25")
async def test_a_run_that_is_over_before_its_beginning_is_known_is_read_at_once(
    world: World, elsewhere: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.runner.stop()
    agent = await world.agent()
    heard = asyncio.Event()
    grown = elsewhere.grown

    def listening(run_id: str) -> None:
        grown(run_id)
        if run_id == "all":
            heard.set()

    async def carried_out() -> None:
        async with world.db.read(ACTOR) as tx:
            (run,) = await runs.list_runs(tx, RunFilter(agent_ids=(agent.id,)), Page())
        await worker(world).carry_out(run.id)
        async with session(world.db.url) as other:
            await other.execute(f"NOTIFY {SAID}, 'all'")
        await asyncio.wait_for(heard.wait(), _SOON_S)

    monkeypatch.setattr(elsewhere, "grown", listening)
    said = InputMessage(role="user", content=(Text(text="Hello."),), otid="otid")
    asked = Submission(agent_id=agent.id, messages=(said,), options=RunOptions())
    late = _Late(world.db.url, world.db, carried_out)
    run = (await submit(late, Unqueued(), elsewhere, ACTOR, asked)).run
    async with asyncio.timeout(_SOON_S):
        assert (await folded(elsewhere.read(ACTOR, run.id), run.id)).reason == "end_turn"


@pytest.mark.rule("G-4", "G-8")
async def test_what_was_said_while_nobody_listened_is_read(world: World, elsewhere: Feed) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "SLOW 20 SAY one two three", stream_tokens=True)
    cut = False
    async with asyncio.timeout(_SOON_S):
        async for _, event in elsewhere.read(ACTOR, submitted.run.id):
            if isinstance(event, Shown) and not cut:
                cut = True
                async with session(world.db.url) as other:
                    await other.execute(_CUT_OFF)
                await world.runner.fold(ACTOR, submitted.run.id)
    assert cut


@pytest.mark.rule("G-7", "G-8")
async def test_a_reader_of_a_process_that_stops_is_told_and_the_run_goes_on(
    world: World, elsewhere: Feed
) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL wait {}")
    reading = asyncio.create_task(folded(elsewhere.read(ACTOR, submitted.run.id), submitted.run.id))
    await world.tools.entered.wait()
    elsewhere.close()
    with pytest.raises(feeds.ServerStopping):
        await asyncio.wait_for(reading, _SOON_S)
    world.tools.gate.set()
    assert (await world.runner.fold(ACTOR, submitted.run.id)).reason == "end_turn"


@pytest.mark.rule("G-11", "streaming-4.7")
async def test_a_run_stops_at_once_when_another_process_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVERY_S", _NEVER_S)
    await world.runner.stop()
    runner = world.successor()
    await runner.start()
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL wait {}")
    await asyncio.wait_for(world.tools.entered.wait(), _SOON_S)
    await world.successor().cancel(ACTOR, agent_id=agent.id)
    async with asyncio.timeout(_SOON_S):
        assert (await runner.fold(ACTOR, submitted.run.id)).reason == "cancelled"
    await runner.stop()


async def test_who_dispatches_is_told_of_jobs_that_come_and_of_places_that_it_waits_for(
    world: World,
) -> None:
    await world.runner.stop()
    heard: asyncio.Queue[str | bytes | bytearray] = asyncio.Queue()
    driver = PatientDriver(cast("Any", world.db).pool, Ears())
    looks, run = Looks(driver), QueueEntrypoint(RUN)

    async def looked() -> int:
        """Take a job, of which one may be taken at a time; return how many more there are."""
        found = await looks.dequeue(
            16, {run: EntrypointExecutionParameter(1)}, _DISPATCHER, None, timedelta(hours=1)
        )
        assert len(found) == 1
        return await looks.eligible_queued_work([run])

    async def ended(name: str) -> None:
        async with world.db.write(ACTOR) as tx:
            await tx.execute("DELETE FROM pgqueuer WHERE dedupe_key = $1", name)

    async with driver, asyncio.timeout(_SOON_S):
        await driver.add_listener(_JOBS, heard.put_nowait)
        async with world.db.write(ACTOR) as tx:
            await put_in(tx, "run-1")
        async with world.db.write(ACTOR) as tx:
            await put_in(tx, "run-2")
        assert '"insert"' in str(await heard.get())
        assert await looked() == 1
        await ended("run-1")
        # It was not told of the second job too, for it had not looked yet, but of the place for it.
        assert '"delete"' in str(await heard.get())
        assert await looked() == 0
        await ended("run-2")
        async with session(world.db.url) as other:
            await other.execute(f"NOTIFY {_JOBS}, 'over'")
        assert await heard.get() == "over"
        await driver.remove_listener(_JOBS, heard.put_nowait)


async def test_the_connection_that_listened_comes_back_with_its_limits(world: World) -> None:
    await world.runner.stop()
    async with PatientDriver(cast("Any", world.db).pool, Ears()) as driver:
        await driver.add_listener(_JOBS, lambda _: None)
        listens = cast("Any", driver)._listener_connection.get_server_pid()  # noqa: SLF001 -- the engine's
    async with world.db.read(ACTOR) as tx:
        assert await tx.fetch_value("SELECT pg_backend_pid()") == listens
        assert await tx.fetch_value("SHOW transaction_timeout") == "40s"
