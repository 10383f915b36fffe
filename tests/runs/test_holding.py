"""A run belongs to the process that accepted it, until that is heard no more (PostgreSQL)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import anyio
import pytest

from eunoe.domain.agents import Agent
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Text
from eunoe.domain.runs import Run, RunOptions
from eunoe.runs import jobs
from eunoe.runs.feed import Feed
from eunoe.runs.holding import Holding
from eunoe.runs.submit import Submission, submit
from eunoe.store import queue
from eunoe.store.db import Database, Dialect
from tests.runs.conftest import ACTOR, World, running
from tests.runs.faulty import Unqueued, stored

pytestmark = pytest.mark.anyio

_SOON_S = 20
_BEATS = 5
_SHOWING_S = 0.5


@pytest.fixture(params=["postgresql"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Beside SQLite there is nobody else to take a run."""
    return request.param


@pytest.fixture
async def impatient(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world without runners, where the next ones miss each other soon."""
    await world.runner.stop()
    monkeypatch.setattr(jobs, "HEARTBEAT_TIMEOUT", timedelta(seconds=1.5))
    monkeypatch.setattr(jobs, "LOOK", timedelta(seconds=0.2))
    monkeypatch.setattr(jobs, "SCAN_S", 0.2)
    return world


class Gone(Unqueued):
    """A process that dies as soon as it has accepted a run."""

    def taken(self, run: Run) -> Run:
        return replace(run, status="running", fence=1)


def _saying(agent: Agent, text: str) -> Submission:
    said = InputMessage(role="user", content=(Text(text=text),), otid="otid")
    return Submission(agent_id=agent.id, messages=(said,), options=RunOptions())


async def _shown(db: Database) -> list[tuple[object, ...]]:
    async with db.read(ACTOR) as tx:
        found = await tx.fetch(
            "SELECT dedupe_key, status::text, queue_manager_id::text, heartbeat FROM pgqueuer"
            " ORDER BY dedupe_key"
        )
    return [tuple(row) for row in found]


async def _showing(holding: Holding) -> None:
    """Let it show what it holds, at least once."""
    with suppress(TimeoutError):
        await asyncio.wait_for(holding.show_on(0.01), _SHOWING_S)


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_SOON_S):
        while not await true():
            await anyio.lowlevel.checkpoint()


@pytest.mark.rule("G-1", "G-13")
async def test_a_run_that_lasts_is_left_to_the_process_that_accepted_it(impatient: World) -> None:
    agent = await impatient.agent()
    async with running(impatient.successor()) as here, running(impatient.successor()):
        submitted = await here.submit(ACTOR, _saying(agent, "CALL wait {}"))
        await impatient.tools.entered.wait()
        beats: set[object] = set()

        async def beaten() -> bool:
            beats.update(beat for *_, beat in await _shown(impatient.db))
            return len(beats) == _BEATS

        await _until(beaten)
        impatient.tools.gate.set()
        assert (await here.fold(ACTOR, submitted.run.id)).reason == "end_turn"
        assert (await stored(impatient, submitted.run.id)).fence == 1
        assert len(impatient.tools.calls) == 1

        async def cleared() -> bool:
            return await _shown(impatient.db) == []

        await _until(cleared)


@pytest.mark.rule("G-1", "G-10")
@pytest.mark.parametrize("shown", [False, True])
async def test_a_run_whose_process_died_goes_to_another(impatient: World, shown: bool) -> None:
    agent, db = await impatient.agent(), impatient.db
    run = (await submit(db, Gone(), Feed(db), ACTOR, _saying(agent, "SAY on"))).run
    if shown:
        async with db.write(ACTOR) as tx:
            await queue.hold(tx, jobs.RUN, [run.id], holder=str(uuid4()))
    async with running(impatient.successor()) as later, asyncio.timeout(_SOON_S):
        assert (await later.fold(ACTOR, run.id)).reason == "end_turn"
    assert (await stored(impatient, run.id)).fence == 2


@pytest.mark.rule("G-1", "G-13")
async def test_who_holds_a_run_shows_it_gives_it_up_and_takes_none_of_another(
    impatient: World,
) -> None:
    one, other = Holding(impatient.db, "run"), Holding(impatient.db, "run")
    for name in ("a", "b"):
        one.begin(name)
    await _showing(one)
    before = await _shown(impatient.db)
    assert [row[:2] for row in before] == [("a", "picked"), ("b", "picked")]

    other.begin("a")
    await _showing(other)
    assert await _shown(impatient.db) == before
    await other.give_up(["a"])
    assert await _shown(impatient.db) == before

    await one.give_up(["a"])
    assert [name for name, *_ in await _shown(impatient.db)] == ["b"]
    one.end("b")
    await one.give_up([])
    assert await _shown(impatient.db) == []
