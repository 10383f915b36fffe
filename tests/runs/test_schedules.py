"""Schedules become runs: each time they are due once, whoever looks, and late where need be."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from eunoe.domain.agents import Agent
from eunoe.domain.inputs import Ask, InputMessage
from eunoe.domain.messages import Text
from eunoe.domain.runs import Run, RunOptions
from eunoe.domain.schedules import Once, Recurring, Schedule, When
from eunoe.errors import ListBusy
from eunoe.runs.schedules import Schedules
from eunoe.service import agents as made
from eunoe.service import schedules as service
from eunoe.store import runs
from eunoe.store.paging import Page
from eunoe.store.runs import RunFilter
from tests.runs.conftest import ACTOR, World

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-25.1")]

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def looking(world: World, clock: Clock) -> Schedules:
    """Return what looks for due schedules in one process."""
    return Schedules(db=world.db, entrance=world.runner, now=clock)


async def scheduled(world: World, agent: Agent, when: When) -> Schedule:
    said = InputMessage(role="user", content=(Text(text="Good morning."),), otid="given")
    ask = Ask(messages=(said,), options=RunOptions())
    return await service.create(world.db, ACTOR, agent.id, when=when, ask=ask, now=START)


async def carry_out(looking: Schedules) -> int:
    names = await looking.pending()
    for name in names:
        await looking.carry_out(name)
    return len(names)


async def runs_of(world: World, agent: Agent) -> list[Run]:
    async with world.db.read(ACTOR) as tx:
        return await runs.list_runs(tx, RunFilter(agent_ids=(agent.id,)), Page())


@pytest.mark.rule("G-9")
async def test_a_time_that_is_due_is_one_run_however_many_look(world: World) -> None:
    clock, agent = Clock(), await world.agent()
    one = await scheduled(world, agent, Once(at=START + HOUR))
    looks = [looking(world, clock) for _ in range(2)]
    assert await looks[0].pending() == []
    clock.now += HOUR
    (name,) = await looks[0].pending()
    # A loser finds the time taken, or the list claimed by the winner's run.
    outcomes = await asyncio.gather(
        *(look.carry_out(name) for look in looks), return_exceptions=True
    )
    assert all(outcome is None or isinstance(outcome, ListBusy) for outcome in outcomes)
    for look in looks:
        await look.carry_out(name)
    (run,) = await runs_of(world, agent)
    await world.runner.fold(ACTOR, run.id)
    after = await service.get(world.db, ACTOR, agent.id, one.id)
    assert (after.next_at, after.last_at, after.last_run_id) == (None, clock.now, run.id)
    assert run.background
    assert [message.otid for message in await world.window(agent) if message.role == "user"] == [
        "given"
    ]


async def test_what_was_missed_while_nobody_looked_is_made_good_once(world: World) -> None:
    clock, agent = Clock(), await world.agent()
    hourly = Recurring(cron="0 * * * *")
    one = await scheduled(world, agent, hourly)
    clock.now += timedelta(days=3, minutes=30)
    look = looking(world, clock)
    assert await carry_out(look) == 1
    (run,) = await runs_of(world, agent)
    await world.runner.fold(ACTOR, run.id)
    assert await carry_out(look) == 0
    after = await service.get(world.db, ACTOR, agent.id, one.id)
    assert after.next_at == START + timedelta(days=3, hours=1)
    clock.now += HOUR
    assert await carry_out(look) == 1
    assert len(await runs_of(world, agent)) == 2
    said = [message for message in await world.window(agent) if message.role == "user"]
    assert len({message.otid for message in said}) == len(said) == 2


@pytest.mark.rule("G-12")
async def test_an_agent_that_is_busy_is_asked_again(world: World) -> None:
    clock, agent = Clock(), await world.agent()
    one = await scheduled(world, agent, Once(at=START + HOUR))
    clock.now += HOUR
    held = await world.submit(agent, "CALL wait {}")
    await asyncio.wait_for(world.tools.entered.wait(), 20)
    look = looking(world, clock)
    with pytest.raises(ListBusy):
        await carry_out(look)
    assert await service.get(world.db, ACTOR, agent.id, one.id) == one
    world.tools.gate.set()
    await world.runner.fold(ACTOR, held.run.id)
    await carry_out(look)
    assert len(await runs_of(world, agent)) == 2


async def test_a_schedule_goes_with_its_agent(world: World) -> None:
    clock, agent = Clock(), await world.agent()
    await scheduled(world, agent, Once(at=START + HOUR))
    clock.now += HOUR
    look = looking(world, clock)
    (name,) = await look.pending()
    await made.delete(world.db, ACTOR, agent.id)
    assert await look.pending() == []
    await look.carry_out(name)


async def test_a_name_that_comes_too_early_does_nothing(world: World) -> None:
    clock, agent = Clock(), await world.agent()
    one = await scheduled(world, agent, Once(at=START + HOUR))
    clock.now += HOUR
    look = looking(world, clock)
    (name,) = await look.pending()
    clock.now = START
    await look.carry_out(name)
    assert await service.get(world.db, ACTOR, agent.id, one.id) == one


async def test_one_that_is_over_is_kept_for_a_month(world: World) -> None:
    clock, agent = Clock(), await world.agent()
    old = await scheduled(world, agent, Once(at=START + HOUR))
    clock.now += HOUR
    await carry_out(looking(world, clock))
    (run,) = await runs_of(world, agent)
    await world.runner.fold(ACTOR, run.id)
    said = InputMessage(role="user", content=(Text(text="Again."),), otid="other")
    ask = Ask(messages=(said,), options=RunOptions())
    left: list[set[str]] = []
    for days in (29, 31):
        now = clock.now + timedelta(days=days)
        when = Once(at=now + HOUR)
        await service.create(world.db, ACTOR, agent.id, when=when, ask=ask, now=now)
        found = await service.list_schedules(world.db, ACTOR, agent.id, Page())
        left.append({one.id for one in found})
    assert [old.id in ids for ids in left] == [True, False]
