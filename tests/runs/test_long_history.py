"""A talk many times as long as the window: compacted again and again, and nothing of it is lost."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pytest

from eunoe.domain.compaction import is_summary
from eunoe.domain.messages import Message, text_of
from eunoe.store import agents, messages, steps
from eunoe.store.db import Dialect
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.paging import Page
from eunoe.store.steps import StepFilter
from tests.crash.invariants import faults
from tests.runs.conftest import ACTOR, World
from tests.runs.faulty import stored, waiting, worker

pytestmark = pytest.mark.anyio

_WINDOW: Final = 4_096
_TIMES: Final = 20
_BYTES_PER_TOKEN: Final = 4
_TURNS: Final = 40
_FILLER: Final = "and so on " * 250


async def everything(world: World, agent_id: str) -> list[Message]:
    """Return all that is stored of the agent, oldest first."""
    found: list[Message] = []
    async with world.db.read(ACTOR) as tx:
        while True:
            page = MessagePage(after=found[-1].id if found else None, newest=False)
            batch = await messages.list_messages(tx, MessageFilter(agent_id=agent_id), page)
            if not batch:
                return found
            found += batch


def size(said: Sequence[Message]) -> int:
    return sum(len(text_of(m)) + sum(len(c.arguments) for c in m.calls) for m in said)


def turn(number: int) -> str:
    match number % 4:
        case 0:
            return f"turn {number}: SAY {_FILLER}"
        case 1:
            return f'turn {number}: CALL count {{"text": "{_FILLER}"}}'
        case 2:
            one = f'{{"name": "look", "arguments": {{"text": "{_FILLER[:500]}"}}}}'
            return f"turn {number}: CALLS [{one}, {one}]"
        case _:
            return f'turn {number}: CALL core_memory_append {{"label": "human", "content": "{number}"}}'


@pytest.mark.slow
@pytest.mark.rule("G-2", "G-16", "FIX-47", "C6")
@pytest.mark.parametrize(
    ("dialect", "mode"),
    [
        ("sqlite", "sliding_window"),
        ("postgresql", "sliding_window"),
        ("postgresql", "all"),
        ("sqlite", "self_compact_sliding_window"),
    ],
)
async def test_a_talk_of_twenty_windows_loses_no_message_and_always_fits(
    world: World, dialect: Dialect, mode: str
) -> None:
    assert world.db.dialect == dialect
    agent = await world.agent()
    agent = await world.agent(
        model=replace(agent.model, context_window=_WINDOW, max_output_tokens=256),
        compaction=replace(agent.compaction, mode=mode),
    )
    said: list[str] = []
    total = 0
    while total < _TIMES * _WINDOW * _BYTES_PER_TOKEN:
        text = turn(len(said))
        outcome = await world.say(agent, text, stream_tokens=len(said) % 2 == 0)
        assert outcome.reason == "end_turn", outcome.failed
        said.append(text)
        window = await world.window(agent)
        assert size(window) < 2 * _WINDOW * _BYTES_PER_TOKEN
        assert window[0].role == "system"
        total += 2 * len(text)

    kept = await everything(world, agent.id)
    assert [text_of(m) for m in kept if m.role == "user" and not is_summary(m)] == said
    assert any(is_summary(m) for m in await world.window(agent))
    assert len({m.id for m in kept}) == len(kept)
    calls = [call.id for m in kept for call in m.calls]
    assert sorted(calls) == sorted(r.call_id for m in kept for r in m.returns)
    assert world.model.stats["replies"] < 6 * len(said)
    assert await faults(world.db) == []


@pytest.mark.rule("G-1", "G-2", "G-14", "G-17")
async def test_a_compaction_that_is_cut_off_is_made_by_the_next_owner(world: World) -> None:
    await world.runner.stop()
    chance = random.Random(7)  # noqa: S311 -- to be repeated, not to be secret
    agent = await world.agent()
    agent = await world.agent(model=replace(agent.model, context_window=_WINDOW))
    said: list[str] = []
    for number in range(_TURNS):
        said.append(turn(number))
        run = await waiting(world, agent, said[-1], stream_tokens=True)
        first = asyncio.create_task(worker(world).carry_out(run.id))
        for _ in range(chance.randrange(150)):
            await asyncio.sleep(0)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        await worker(world).carry_out(run.id)
        assert (await stored(world, run.id)).stop_reason == "end_turn"

    kept = await everything(world, agent.id)
    assert [text_of(m) for m in kept if m.role == "user" and not is_summary(m)] == said
    assert sum(is_summary(m) for m in kept) > 3
    assert await faults(world.db) == []


@pytest.mark.rule("C19", "L33", "G-14", "streaming-4.2", "streaming-5.1")
async def test_instructions_that_no_window_holds_end_the_run_and_its_step(world: World) -> None:
    config = await world.registry.resolve("openai/scripted-4k")
    agent = await world.agent(model=config, system="x" * 5 * _WINDOW)
    run = (await world.submit(agent, "SAY hi")).run
    outcome = await world.runner.fold(ACTOR, run.id)
    why = "context_window_overflow_in_system_prompt"
    assert outcome.failed is not None
    assert (outcome.reason, outcome.failed.error_type) == (why, why)
    async with world.db.read(ACTOR) as tx:
        (step,) = await steps.list_steps(tx, StepFilter(run_id=run.id), Page())
    assert (step.status, step.stop_reason, step.error_type) == (
        "failed",
        why,
        "SystemPromptTooLarge",
    )
    async with world.db.write(ACTOR) as tx:
        await agents.update(tx, replace(agent, system="Be short."))
    assert (await world.say(agent, "SAY hi")).reason == "end_turn"
