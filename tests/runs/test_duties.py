"""Work beside the runs: carried out when it is asked for, found when nobody asks, tried again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from eunoe.runs import jobs
from eunoe.runs.jobs import EMBED, HEARTBEAT_TIMEOUT, LOOK, Duty, Ears, Engine
from eunoe.runs.queue import Queue
from eunoe.store.db import Database

pytestmark = pytest.mark.anyio

_LONG_S = 20.0


class Errands:
    """Names of work to do; `done` is set when none is left."""

    def __init__(self, *left: str, failing: int = 0) -> None:
        self.left = set(left)
        self.failing = failing
        self.tried: list[str] = []
        self.ended = 0.0
        self.done = asyncio.Event()

    async def carry_out(self, name: str) -> None:
        self.tried.append(name)
        if len(self.tried) <= self.failing:
            raise OSError(name)
        self.left.discard(name)
        if not self.left:
            self.ended = time.monotonic()
            self.done.set()

    async def pending(self) -> list[str]:
        return sorted(self.left)

    def duty(self, *, at_once: int = 1) -> Duty:
        return Duty(name="errand", carry_out=self.carry_out, pending=self.pending, at_once=at_once)


async def _nothing(_: object) -> list[str]:
    return []


async def _idle(*_: object) -> None:
    return None


def _engine(
    database: Database, *duties: Duty, embed: Callable[[str], Awaitable[None]] = _idle
) -> Engine:
    engine = Engine(database, _idle, unfinished=_nothing, embed=embed, sweep=_idle)
    for duty in duties:
        engine.undertake(duty)
    return engine


async def _worked(database: Database, errands: Errands, *asked: str, at_once: int = 1) -> None:
    engine = _engine(database, errands.duty(at_once=at_once))
    await engine.start()
    for name in asked:
        await engine.due("errand", name)
    await asyncio.wait_for(errands.done.wait(), _LONG_S)
    await engine.stop(grace_s=1)


@pytest.mark.rule("G-1")
async def test_what_is_left_is_found_at_the_start_and_what_fails_is_tried_again(
    database: Database,
) -> None:
    errands = Errands("a", "b", failing=1)
    await _worked(database, errands)
    assert set(errands.tried) == {"a", "b"}
    assert len(errands.tried) == 3


async def test_what_is_asked_for_does_not_wait_for_a_scan(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SCAN_S", 1_000.0)
    errands = Errands()
    await _worked(database, errands, "asked")
    assert errands.tried == ["asked"]


async def test_what_nobody_asks_for_is_found_by_a_scan(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SCAN_S", 0.01)
    errands = Errands()

    async def arrives() -> list[str]:
        errands.left.add("found")
        return ["found"]

    errands.pending = arrives
    await _worked(database, errands)
    assert "found" in errands.tried


@pytest.mark.parametrize("at_once", [1, 2])
async def test_what_waits_for_a_place_begins_as_soon_as_one_is_free(
    database: Database, at_once: int
) -> None:
    errands = Errands(*(f"{number:02}" for number in range(60)))
    first, working, most = 0.0, 0, 0
    carry_out = errands.carry_out

    async def counted(name: str) -> None:
        nonlocal first, working, most
        first = first or time.monotonic()
        working += 1
        most = max(most, working)
        await asyncio.sleep(0)
        await carry_out(name)
        working -= 1

    errands.carry_out = counted
    await _worked(database, errands, at_once=at_once)
    assert sorted(errands.tried) == [f"{number:02}" for number in range(60)]
    assert most == at_once
    # The engine looks for places that are free ten times a second: that alone would take this.
    assert errands.ended - first < 60 / at_once * 0.1 / 2


async def test_vectors_that_could_not_be_made_are_made_later(database: Database) -> None:
    errands = Errands("agent", failing=1)
    engine = _engine(database, embed=errands.carry_out)
    await engine.start()
    await engine.due(EMBED, "agent")
    await asyncio.wait_for(errands.done.wait(), _LONG_S)
    await engine.stop(grace_s=1)
    assert errands.tried == ["agent", "agent"]


async def test_who_stops_at_once_waits_for_no_work_that_has_not_begun(database: Database) -> None:
    engine = _engine(database)
    async with asyncio.timeout(_LONG_S):
        await engine.start()
        await engine.stop(grace_s=2 * _LONG_S)


async def test_who_stops_begins_nothing_more(database: Database) -> None:
    errands = Errands("a", "b", "c")
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(name: str) -> None:
        await errands.carry_out(name)
        begun.set()
        await may_end.wait()

    engine = _engine(database, Duty(name="errand", carry_out=slowly, pending=errands.pending))
    async with asyncio.timeout(_LONG_S):
        await engine.start()
        await begun.wait()
        stopping = asyncio.create_task(engine.stop(grace_s=2 * _LONG_S))
        await asyncio.sleep(0)
        may_end.set()
        await stopping
    assert len(errands.tried) == 1
    assert len(errands.left) == 2


@pytest.mark.rule("G-1")
async def test_what_was_picked_when_it_was_shut_is_put_back(database: Database) -> None:
    tried: list[str] = []

    def opened() -> Queue:
        queue = Queue(database, Ears())

        async def once(name: str, attempts: int) -> None:
            del attempts
            tried.append(name)
            queue.shut()

        queue.give("errand", once, at_once=2)
        return queue

    async with asyncio.timeout(_LONG_S):
        queue = opened()
        await queue.put([("errand", "a"), ("errand", "b")], delay=timedelta())
        await queue.run(heartbeat=HEARTBEAT_TIMEOUT, look=LOOK)
        assert tried == ["a"]
        if database.dialect == "postgresql":
            await opened().run(heartbeat=HEARTBEAT_TIMEOUT, look=LOOK)
            assert tried == ["a", "b"]
