"""A run of the heartbeat loop that another process takes over goes on as if nothing had been."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from eunoe.domain.agents import Agent, CompactionSettings
from eunoe.domain.messages import Json, text_of
from eunoe.domain.runs import Run, Usage
from eunoe.engine.ports import ModelRequest
from eunoe.runs.worker import Worker
from eunoe.store import blocks
from eunoe.testing.scripted import Events, ScriptedModel, call, say
from tests.crash.invariants import faults
from tests.runs.conftest import ACTOR, World
from tests.runs.faulty import Fault, FaultyDatabase, stored, waiting, worker
from tests.runs.test_recovery import passes
from tests.runs.test_tool_rules import Only, rule

pytestmark = pytest.mark.anyio

# In passes of the event loop: dense where everything happens on one machine, then wider.
_PLACES = (*range(0, 40, 3), *range(40, 120, 12), *range(120, 600, 90), *range(600, 3_000, 1_200))
RULES: tuple[Json, ...] = (rule("exit_loop", "look"),)


def next_call(request: ModelRequest) -> Events:
    """Count, then note, then fail without asking for a heartbeat, then look, which ends it."""
    said = [message for message in request.messages if message.calls]
    wake: Json = {"request_heartbeat": True}
    match len(said) % 4:
        case 0:
            return call(("count", {"n": len(said), **wake}))
        case 1:
            return call(("core_memory_append", {"label": "human", "content": "tea", **wake}))
        case 2:
            return call(("fail", {"request_heartbeat": False}))
        case _:
            return call(("look", {"request_heartbeat": True}))


def owner(world: World) -> Worker:
    own = worker(world)
    own.models = Only(world, ScriptedModel(always=next_call))
    return own


async def heard(world: World, agent: Agent) -> list[str]:
    """Return who spoke in the window, a heartbeat told from what a person said."""
    return [
        "heartbeat" if '"type": "heartbeat"' in text_of(message) else message.role
        for message in await world.window(agent)
    ]


@pytest.mark.rule("G-1", "G-2", "G-17", "L55", "L58", "FIX-10")
@pytest.mark.parametrize("tokens", [True, False])
async def test_a_worker_cancelled_anywhere_leaves_heartbeats_that_the_next_one_follows(
    world: World, tokens: bool
) -> None:
    await world.runner.stop()
    for place in _PLACES:
        agent = await world.agent(agent_type="memgpt_agent", tool_rules=RULES)
        world.tools.calls.clear()
        run: Run = await waiting(world, agent, "go", stream_tokens=tokens)
        first = asyncio.create_task(owner(world).carry_out(run.id))
        await passes(place)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first

        await owner(world).carry_out(run.id)

        done = await stored(world, run.id)
        assert (done.status, done.stop_reason) == ("completed", "tool_rule"), place
        beat = ["assistant", "tool", "heartbeat"]
        assert await heard(world, agent) == [
            "system", "user", *beat, *beat, *beat, "assistant", "tool"
        ], place  # fmt: skip
        made = [one for m in await world.window(agent) for one in m.calls]
        assert [one.heartbeat for one in made] == [True, True, True, False], place
        async with world.db.read(ACTOR) as tx:
            (block,) = await blocks.of_agent(tx, agent.id)
        assert block.value.count("tea") == 1, place
    assert await faults(world.db) == []


@pytest.mark.rule("C6", "C9", "L55", "L56")
async def test_a_window_that_is_full_is_made_smaller_between_heartbeats_and_at_the_end(
    world: World,
) -> None:
    await world.runner.stop()
    config = replace(await world.registry.resolve("openai/scripted-1"), context_window=4_096)
    agent = await world.agent(
        agent_type="memgpt_agent",
        tool_rules=RULES,
        model=config,
        compaction=CompactionSettings(model_settings={"temperature": 0.25}),
    )
    own = worker(world)
    full = Usage(prompt_tokens=4_000, completion_tokens=50, total_tokens=4_050)
    model = ScriptedModel(
        *(call(("count", {"n": n, "request_heartbeat": True})) for n in range(8)),
        call(("count", {"n": 8, "request_heartbeat": True}), usage=full),
        say("It counted to eight."),
        call(("look", {})),
    )
    own.models = Only(world, model)
    run = await waiting(world, agent, "go")
    await own.carry_out(run.id)
    assert (await stored(world, run.id)).stop_reason == "end_turn"
    assert "summary" in await heard(world, agent)
    assert model.requests[-1].messages[-1].role == "user"
    assert [one.config.temperature for one in model.requests[-3:]] == [None, 0.25, None]

    before = await heard(world, agent)
    own.models = Only(world, ScriptedModel(call(("look", {}), usage=full), say("It looked.")))
    run = await waiting(world, agent, "look")
    await own.carry_out(run.id)
    assert (await stored(world, run.id)).stop_reason == "end_turn"
    after = await heard(world, agent)
    assert len(after) < len(before)
    assert after[:2] + after[-3:] == ["system", "summary", "user", "assistant", "tool"]
    assert await faults(world.db) == []


@pytest.mark.rule("G-2")
@pytest.mark.parametrize(
    ("said", "writes"),
    [
        ('CALL core_memory_append {"label": "human", "content": "tea"}', 5),
        ("CALL conversation_search {}", 6),
    ],
    ids=["immediate", "waits"],
)
async def test_a_reply_and_what_it_changes_at_once_are_one_checkpoint(
    world: World, said: str, writes: int
) -> None:
    """The reply and what its call came to, where nothing lies between them, are not two."""
    await world.runner.stop()
    run = await waiting(world, await world.agent(), said)
    own = worker(world)
    own.db = db = FaultyDatabase(world.db)
    db.fault = Fault(nth=0, when="before")
    await own.carry_out(run.id)
    assert (await stored(world, run.id)).status == "completed"
    assert -db.fault.nth == writes
