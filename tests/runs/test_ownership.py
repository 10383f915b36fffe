"""Who owns a run: one process at a time; one that lost it changes, shows and starts nothing more."""

import asyncio
from dataclasses import replace

import pytest

from eunoe.domain.agents import Agent
from eunoe.domain.events import Shown
from eunoe.domain.runs import Run
from eunoe.domain.views import Returned
from eunoe.errors import RunExpired
from eunoe.runs.feed import Feed
from eunoe.runs.runner import Outcome
from eunoe.runs.worker import Worker
from eunoe.store import agents, events, runs
from tests.crash.invariants import faults
from tests.runs.conftest import ACTOR, CountingTools, World, running, toolboxes
from tests.runs.faulty import stored, waiting, worker

pytestmark = pytest.mark.anyio

_SOON_S = 5


async def snapshot(world: World, agent: Agent, run: Run) -> object:
    """Return all that a run has left behind."""
    feed = Feed(world.db)
    said = [numbered async for numbered in feed.read(ACTOR, run.id)]
    async with world.db.read(ACTOR) as tx:
        ledger = await runs.ledger(tx, run.id)
    return said, await stored(world, run.id), await world.window(agent), ledger


@pytest.mark.rule("G-13", "G-17", "G-2")
@pytest.mark.parametrize(
    "text", ["CALL wait {}", 'CALLS [{"name": "count"}, {"name": "wait"}, {"name": "count"}]']
)
async def test_a_worker_that_slept_through_its_takeover_can_do_nothing_more(
    world: World, text: str
) -> None:
    await world.runner.stop()
    agent = await world.agent()
    run = await waiting(world, agent, text, stream_tokens=True)
    sleeping = asyncio.create_task(worker(world).carry_out(run.id))
    await world.tools.entered.wait()
    await worker(world).carry_out(run.id)
    after = await snapshot(world, agent, run)
    called = list(world.tools.calls)

    world.tools.gate.set()
    await asyncio.wait_for(sleeping, _SOON_S)

    assert await snapshot(world, agent, run) == after
    assert world.tools.calls == called
    assert (await stored(world, run.id)).stop_reason == "end_turn"
    assert await faults(world.db) == []


@pytest.mark.rule("G-13", "G-4")
async def test_a_worker_that_slept_in_a_reply_shows_none_of_it(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent()
    run = await waiting(world, agent, "SLOW 100 SAY one two three four five", stream_tokens=True)
    feed = Feed(world.db)
    async with feed.opening(run):
        pass
    sleeping = asyncio.create_task(worker(world, feed=feed).carry_out(run.id))
    async for _, event in feed.read(ACTOR, run.id):
        if isinstance(event, Shown):
            break
    async with world.db.write(ACTOR) as tx:
        taken_over = await runs.claim(tx, run.id)
        shown = await tx.fetch("SELECT seq FROM run_events WHERE run_id = $1", run.id)
    assert taken_over is not None

    await asyncio.wait_for(sleeping, _SOON_S)

    async with world.db.read(ACTOR) as tx:
        assert await tx.fetch("SELECT seq FROM run_events WHERE run_id = $1", run.id) == shown
    assert [m.role for m in await world.window(agent)] == ["system", "user"]


@pytest.mark.rule("G-9", "G-17")
async def test_a_job_that_comes_twice_is_done_once(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent()
    run = await waiting(world, agent, "CALL wait {}")
    one = worker(world)
    first = asyncio.create_task(one.carry_out(run.id))
    await world.tools.entered.wait()
    await one.carry_out(run.id)
    world.tools.gate.set()
    await first
    await one.carry_out(run.id)

    assert len(world.tools.calls) == 1
    done = await stored(world, run.id)
    assert (done.fence, done.stop_reason) == (1, "end_turn")


@pytest.mark.rule("G-11")
async def test_a_run_is_cancelled_from_another_process(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL wait {}")
    await world.tools.entered.wait()
    other = world.successor()

    assert await other.cancel(ACTOR, agent_id=agent.id) == {submitted.run.id: "cancelled"}

    async with asyncio.timeout(_SOON_S):
        assert (await world.runner.fold(ACTOR, submitted.run.id)).reason == "cancelled"
    assert await faults(world.db) == []


@pytest.mark.rule("G-4", "G-8", "G-9")
async def test_a_run_is_read_where_it_was_sent_and_carried_out_elsewhere(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent()
    entrance, elsewhere = world.successor(), world.successor()
    there = replace(world, runner=entrance)
    submitted = await there.submit(agent, "SLOW 20 SAY one two three", stream_tokens=True)
    assert submitted.run.fence == 0
    reading = asyncio.create_task(entrance.fold(ACTOR, submitted.run.id))
    async with running(elsewhere), asyncio.timeout(20):
        outcome = await reading

    assert outcome.reason == "end_turn"


@pytest.mark.rule("G-8", "G-14")
@pytest.mark.parametrize("text", ["CALL wait {}", "HANG 2 SAY one two three"])
async def test_the_stream_of_an_agent_that_is_deleted_ends(world: World, text: str) -> None:
    agent, neighbour = await world.agent(), await world.agent()
    submitted = await world.submit(agent, text, stream_tokens=True)
    reading = asyncio.create_task(world.runner.fold(ACTOR, submitted.run.id))
    if "wait" in text:
        await world.tools.entered.wait()
    else:
        await _said_something(world, submitted.run.id)

    async with world.db.write(ACTOR) as tx:
        assert await agents.delete(tx, agent.id)

    assert await _end_of(reading) in {"error", "gone"}
    assert (await world.say(neighbour, "SAY on")).reason == "end_turn"
    async with world.db.read(ACTOR) as tx:
        assert await events.last_seq(tx, submitted.run.id) == 0


async def _said_something(world: World, run_id: str) -> None:
    async for _, event in world.runner.read(ACTOR, run_id):
        if isinstance(event, Shown):
            return


async def _end_of(reading: "asyncio.Task[Outcome]") -> str:
    async with asyncio.timeout(_SOON_S):
        try:
            return (await reading).reason
        except RunExpired:
            return "gone"


@pytest.mark.rule("G-8", "G-14")
async def test_an_agent_that_is_deleted_before_its_run_is_begun_harms_nobody(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent()
    run = await waiting(world, agent, "SAY never")
    async with world.db.write(ACTOR) as tx:
        assert await agents.delete(tx, agent.id)

    await worker(world).carry_out(run.id)

    with pytest.raises(RunExpired):
        await anext(Feed(world.db).read(ACTOR, run.id))


@pytest.mark.rule("G-17", "G-1")
async def test_what_is_said_again_after_an_unknown_outcome_is_another_call(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent()
    run = await waiting(world, agent, "CALL wait {}")
    dying = asyncio.create_task(worker(world).carry_out(run.id))
    await world.tools.entered.wait()
    dying.cancel()
    await asyncio.wait([dying])
    await worker(world).carry_out(run.id)
    fresh = CountingTools()
    fresh.gate.set()
    again = await waiting(world, agent, "CALL wait {}")

    await _with_tools(world, fresh).carry_out(again.id)

    assert [name for name, _ in fresh.calls] == ["wait"]
    returned = [r.ok for m in await world.window(agent) for r in m.returns]
    assert returned == [False, True]


def _with_tools(world: World, tools: CountingTools) -> Worker:
    one = worker(world)
    one.toolboxes = toolboxes(tools)
    return one


@pytest.mark.rule("G-8")
async def test_a_reply_with_a_view_of_every_kind_is_read_whole_after_its_owner(
    world: World,
) -> None:
    agent: Agent = await world.agent()
    submitted = await world.submit(agent, "THINK hard CALL count {}", stream_tokens=True)
    outcome = await world.runner.fold(ACTOR, submitted.run.id)
    assert [v for v in outcome.views if isinstance(v.body, Returned)]
    assert outcome == await world.successor().fold(ACTOR, submitted.run.id)
