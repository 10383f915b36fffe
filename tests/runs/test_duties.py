"""Work beside the runs: carried out when it is asked for, found when nobody asks, tried again."""

import asyncio

import pytest

from eunoe.runs import jobs
from eunoe.runs.jobs import Duty, Engine
from eunoe.store.db import Database

pytestmark = pytest.mark.anyio

_LONG_S = 20.0


class Errands:
    """Names of work to do; `done` is set when none is left."""

    def __init__(self, *left: str, failing: int = 0) -> None:
        self.left = set(left)
        self.failing = failing
        self.tried: list[str] = []
        self.done = asyncio.Event()

    async def carry_out(self, name: str) -> None:
        self.tried.append(name)
        if len(self.tried) <= self.failing:
            raise OSError(name)
        self.left.discard(name)
        if not self.left:
            self.done.set()

    async def pending(self) -> list[str]:
        return sorted(self.left)


async def _worked(database: Database, errands: Errands, *asked: str) -> None:
    async def nothing(_: object) -> list[str]:
        return []

    async def idle(*_: object) -> None:
        return None

    engine = Engine(database, idle, unfinished=nothing, embed=idle, sweep=idle)
    engine.undertake(Duty(name="errand", carry_out=errands.carry_out, pending=errands.pending))
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


async def test_who_stops_at_once_waits_for_no_work_that_has_not_begun(database: Database) -> None:
    async def nothing(_: object) -> list[str]:
        return []

    async def idle(*_: object) -> None:
        return None

    engine = Engine(database, idle, unfinished=nothing, embed=idle, sweep=idle)
    async with asyncio.timeout(_LONG_S):
        await engine.start()
        await engine.stop(grace_s=2 * _LONG_S)


async def test_who_stops_begins_nothing_of_what_was_taken_ahead(database: Database) -> None:
    errands = Errands("a", "b", "c")
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(name: str) -> None:
        await errands.carry_out(name)
        begun.set()
        await may_end.wait()

    async def nothing(_: object) -> list[str]:
        return []

    async def idle(*_: object) -> None:
        return None

    engine = Engine(database, idle, unfinished=nothing, embed=idle, sweep=idle)
    engine.undertake(Duty(name="errand", carry_out=slowly, pending=errands.pending, ahead=2))
    async with asyncio.timeout(_LONG_S):
        await engine.start()
        await begun.wait()
        stopping = asyncio.create_task(engine.stop(grace_s=2 * _LONG_S))
        await asyncio.sleep(0)
        may_end.set()
        await stopping
    assert len(errands.tried) == 1
    assert len(errands.left) == 2
