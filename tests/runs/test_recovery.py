"""A run whose owner died, was stopped or was cancelled at any place goes on from what is stored."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import pytest

from eunoe.domain.events import CallDelta, Failed, Finished, Shown, Stopped
from eunoe.domain.messages import Text, text_of
from eunoe.domain.runs import Run, RunOptions, is_terminal
from eunoe.errors import ServerStopping
from eunoe.runs import jobs
from eunoe.runs.feed import Feed
from eunoe.runs.jobs import Engine
from eunoe.runs.submit import InputMessage, Submission
from eunoe.store import blocks, runs
from eunoe.store.db import Actor, Tx
from eunoe.testing.scripted import ScriptedModel, say
from tests.crash.invariants import faults
from tests.runs.conftest import ACTOR, World, running
from tests.runs.faulty import stored, waiting, worker

pytestmark = pytest.mark.anyio

# In passes of the event loop: dense where everything happens on one machine, then wider.
_PLACES = (*range(0, 40, 2), *range(40, 120, 8), *range(120, 600, 60), *range(600, 3_000, 800))
_TALK = (
    'CALLS [{"name": "count", "arguments": {"n": 1}}, {"name": "look", "arguments": {}},'
    ' {"name": "core_memory_append", "arguments": {"label": "human", "content": "tea"}},'
    ' {"name": "count", "arguments": {"n": 2}}]'
)


async def passes(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.mark.rule("G-1", "G-2", "G-14", "G-17")
@pytest.mark.parametrize("tokens", [True, False])
async def test_a_worker_cancelled_anywhere_leaves_a_run_that_the_next_one_ends(
    world: World, tokens: bool
) -> None:
    await world.runner.stop()
    for place in _PLACES:
        agent = await world.agent()
        world.tools.calls.clear()
        run = await waiting(world, agent, _TALK, stream_tokens=tokens)
        first = asyncio.create_task(worker(world).carry_out(run.id))
        await passes(place)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first

        await worker(world).carry_out(run.id)

        done = await stored(world, run.id)
        assert (done.status, done.stop_reason) == ("completed", "end_turn"), place
        counted = [arguments["n"] for name, arguments in world.tools.calls if name == "count"]
        assert sorted(counted) == sorted(set(counted)), place
        async with world.db.read(ACTOR) as tx:
            (block,) = await blocks.of_agent(tx, agent.id)
        assert block.value.count("tea") == 1, place
        again = await waiting(world, agent, "SAY on")
        await worker(world).carry_out(again.id)
        assert text_of((await world.window(agent))[-1]) == "on"
    assert await faults(world.db) == []


@pytest.mark.rule("G-11", "G-2", "G-14")
@pytest.mark.parametrize("tokens", [True, False])
async def test_cancel_at_any_place_ends_the_run_one_way_everywhere(
    world: World, tokens: bool
) -> None:
    seen: set[str] = set()
    for place in _PLACES:
        agent = await world.agent()
        submitted = await world.submit(agent, _TALK, stream_tokens=tokens)
        await passes(place)
        done = await world.runner.cancel(ACTOR, run_ids=[submitted.run.id], wait_s=30)
        run = await stored(world, submitted.run.id)
        assert done == {run.id: run.status}
        said = [event for _, event in await world.events(run.id)]
        assert is_terminal(run.status)
        assert [event.reason for event in said if isinstance(event, Stopped)] == [run.stop_reason]
        assert run.status == ("cancelled" if run.stop_reason == "cancelled" else "completed")
        seen.add(run.status)
        assert (await world.say(agent, "SAY on")).reason == "end_turn"
    assert "cancelled" in seen
    assert await faults(world.db) == []


@pytest.mark.rule("G-1", "G-2")
async def test_a_run_that_its_owners_keep_dying_of_is_ended_and_its_calls_answered(
    world: World,
) -> None:
    await world.runner.stop()
    agent = await world.agent()
    run = await waiting(world, agent, "CALL wait {}")
    first = asyncio.create_task(worker(world).carry_out(run.id))
    await world.tools.entered.wait()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    async with world.db.write(ACTOR) as tx:
        await tx.execute("UPDATE runs SET fence = 11 WHERE id = $1", run.id)

    feed = Feed(world.db)
    await worker(world, feed=feed).carry_out(run.id)

    said = [event async for _, event in feed.read(ACTOR, run.id)]
    (failed,) = [event for event in said if isinstance(event, Failed)]
    assert failed.error_type == "server_restart"
    done = await stored(world, run.id)
    assert (done.status, done.stop_reason) == ("failed", "error")
    assert not (await world.window(agent))[-1].returns[0].ok
    assert await faults(world.db) == []


@pytest.mark.rule("G-1", "G-8", "streaming-8.5")
async def test_readers_are_told_when_the_grace_is_over_whatever_goes_on(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL wait {}")
    reading = asyncio.create_task(world.runner.fold(ACTOR, submitted.run.id))
    await world.tools.entered.wait()
    world.runner.drain(lambda: None)
    with pytest.raises(ServerStopping):
        await asyncio.wait_for(reading, 10)


@pytest.mark.rule("G-1", "G-10")
async def test_a_run_that_no_queue_knows_of_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.runner.stop()
    monkeypatch.setattr(jobs, "SCAN_S", 0.1)
    agent = await world.agent()
    later = world.successor()
    async with running(later), asyncio.timeout(20):
        run = await waiting(world, agent, "SAY found")
        assert (await later.fold(ACTOR, run.id)).reason == "end_turn"


@pytest.mark.rule("G-10")
async def test_a_scan_leaves_a_run_to_whoever_is_accepting_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.runner.stop()
    scanned = asyncio.Semaphore(0)
    unfinished, enqueued = runs.unfinished, Engine.enqueued

    async def seen(tx: Tx, *, young: datetime) -> list[str]:
        found = await unfinished(tx, young=young)
        scanned.release()
        return found

    async def late(engine: Engine, run: Run, actor: Actor) -> None:
        for _ in range(20):
            await scanned.acquire()
        await enqueued(engine, run, actor)

    monkeypatch.setattr(jobs, "SCAN_S", 0.01)
    monkeypatch.setattr(runs, "unfinished", seen)
    monkeypatch.setattr(Engine, "enqueued", late)
    agent = await world.agent()
    async with running(world.successor()) as runner, asyncio.timeout(20):
        said = InputMessage(role="user", content=(Text(text="SAY mine"),), otid="otid")
        submission = Submission(agent_id=agent.id, messages=(said,), options=RunOptions())
        run = (await runner.submit(ACTOR, submission)).run
        await runner.fold(ACTOR, run.id)
    async with world.db.read(ACTOR) as tx:
        ended = await runs.get(tx, run.id)
    assert ended is not None
    assert (ended.fence, ended.stop_reason) == (1, "end_turn")


@pytest.mark.rule("G-15", "G-2", "G-14")
@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("how", ["DROP", "EOF"])
async def test_a_provider_that_dies_at_any_chunk_fails_the_run_and_harms_nothing(
    world: World, how: str, tokens: bool
) -> None:
    agent = await world.agent()
    for chunk in (0, 1, 3, 7):
        outcome = await world.say(agent, f"{how} {chunk} {_TALK}", stream_tokens=tokens)
        assert outcome.reason in {"llm_api_error", "invalid_llm_response"}
        assert world.tools.calls == []
    assert (await world.say(agent, "SAY on")).reason == "end_turn"
    assert [m.role for m in await world.window(agent)] == [
        "system", *["user"] * 5, "assistant"
    ]  # fmt: skip
    assert await faults(world.db) == []


@pytest.mark.rule("G-17", "G-2")
async def test_ids_that_a_provider_gives_again_are_other_calls(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent()

    def counting(number: int) -> list[CallDelta | Finished]:
        calls = [
            CallDelta(index=place, id=f"call_{place}", name=name, arguments=f'{{"n": {number}}}')
            for place, name in enumerate(("count", "wait" if number == 2 else "count"))
        ]
        return [*calls, Finished(reason="tool_calls")]

    model = ScriptedModel(counting(1), counting(2), say("done"))
    run = await waiting(world, agent, "go")
    first = worker(world)
    first.models = _Only(world, model)
    task = asyncio.create_task(first.carry_out(run.id))
    await world.tools.entered.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    second = worker(world)
    second.models = _Only(world, model)
    await second.carry_out(run.id)

    returned = [r for m in await world.window(agent) for r in m.returns]
    assert [(r.name, r.ok) for r in returned] == [
        ("count", True), ("count", True), ("count", True), ("wait", False)
    ]  # fmt: skip
    assert [str(r.output) for r in returned[:3]] == ["count 1", "count 2", "count 3"]
    assert await faults(world.db) == []


class _Only:
    """A registry of one model, which is what every handle means."""

    def __init__(self, world: World, model: ScriptedModel) -> None:
        self._world = world
        self._model = model
        self.resolve = world.registry.resolve
        self.embedder_for = world.registry.embedder_for

    def of(self, organization_id: str) -> "_Only":
        return self

    def model_for(self, config: object) -> ScriptedModel:
        return self._model


@pytest.mark.rule("G-4", "G-8")
async def test_readers_of_a_run_go_on_over_the_death_of_its_owner(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent()
    run = await waiting(world, agent, "CALL wait {}", stream_tokens=True)
    feed = Feed(world.db)
    dying = worker(world, feed=feed)
    first = asyncio.create_task(dying.carry_out(run.id))
    reading = asyncio.create_task(_read(feed, run.id))
    await world.tools.entered.wait()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first

    await worker(world).carry_out(run.id)

    said = await asyncio.wait_for(reading, 10)
    assert [event for _, event in said if isinstance(event, Shown)]
    assert said == await _read(Feed(world.db), run.id)
    assert [seq for seq, _ in said] == list(range(1, len(said) + 1))


async def _read(feed: Feed, run_id: str) -> list[tuple[int, object]]:
    return [numbered async for numbered in feed.read(ACTOR, run_id)]


@pytest.mark.rule("FIX-27", "M5")
async def test_agents_that_edit_a_shared_block_at_once_lose_no_edit(world: World) -> None:
    one = await world.agent()
    async with world.db.read(ACTOR) as tx:
        (block,) = await blocks.of_agent(tx, one.id)
    others = [await world.agent() for _ in range(5)]
    async with world.db.write(ACTOR) as tx:
        for agent in others:
            own = (await blocks.of_agent(tx, agent.id))[0]
            await blocks.detach(tx, agent.id, own.id)
            await blocks.attach(tx, agent.id, replace(block))

    def edit(number: int) -> str:
        return f'CALL core_memory_append {{"label": "human", "content": "fact {number}"}}'

    everyone = [one, *others]
    outcomes = await asyncio.gather(
        *(world.say(agent, edit(number)) for number, agent in enumerate(everyone))
    )

    assert {outcome.reason for outcome in outcomes} == {"end_turn"}
    async with world.db.read(ACTOR) as tx:
        (block,) = await blocks.of_agent(tx, one.id)
    assert all(f"fact {number}" in block.value for number in range(len(everyone)))
    assert await faults(world.db) == []
