"""A run that is told to stop, wherever it is."""

import asyncio
from dataclasses import replace

import pytest

from eunoe.domain.events import Shown, Stopped
from eunoe.domain.messages import text_of
from eunoe.domain.views import Answered
from eunoe.errors import NothingToCancel
from eunoe.store import steps
from eunoe.store.paging import Page
from eunoe.store.steps import StepFilter
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio


@pytest.mark.rule("G-11", "streaming-4.7")
async def test_cancel_stops_a_tool_that_waits_and_the_agent_goes_on(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL wait {}")
    await world.tools.entered.wait()

    async with asyncio.timeout(2):
        assert await world.runner.cancel(ACTOR, agent_id=agent.id) == {
            submitted.run.id: "cancelled"
        }
        outcome = await world.runner.fold(ACTOR, submitted.run.id)

    assert outcome.reason == "cancelled"
    async with world.db.read(ACTOR) as tx:
        (step,) = await steps.list_steps(tx, StepFilter(agent_id=agent.id), Page())
    assert (step.status, step.stop_reason) == ("cancelled", "cancelled")
    window = await world.window(agent)
    assert [m.role for m in window] == ["system", "user", "assistant", "tool"]
    assert not window[-1].returns[0].ok
    with pytest.raises(NothingToCancel):
        await world.runner.cancel(ACTOR, agent_id=agent.id)
    assert (await world.say(agent, "SAY on")).reason == "end_turn"


@pytest.mark.rule("G-11")
async def test_cancel_in_a_reply_keeps_the_text_that_was_shown(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "HANG 3 SAY one two three four", stream_tokens=True)
    shown = ""
    async for _, event in world.runner.read(ACTOR, submitted.run.id):
        if isinstance(event, Shown) and isinstance(event.view.body, Answered):
            shown += event.view.body.text
            await world.runner.cancel(ACTOR, run_ids=[submitted.run.id])
        if isinstance(event, Stopped):
            assert event.reason == "cancelled"

    answer = (await world.window(agent))[-1]
    assert answer.role == "assistant"
    assert text_of(answer).startswith(shown)


@pytest.mark.rule("G-11")
async def test_cancel_stops_a_compaction_that_hangs(world: World) -> None:
    agent = await world.agent()
    agent = await world.agent(model=replace(agent.model, context_window=4_096))
    await world.say(agent, "HANG 0", "SAY on")  # Only a summary has the first as its last words.
    submitted = await world.submit(agent, f"{'and so on ' * 2_000} SAY off")
    async for _, event in world.runner.read(ACTOR, submitted.run.id):
        if isinstance(event, Shown) and isinstance(event.view.body, Answered):
            break

    done = await world.runner.cancel(ACTOR, run_ids=[submitted.run.id], wait_s=10)

    assert done == {submitted.run.id: "cancelled"}
    assert (await world.runner.fold(ACTOR, submitted.run.id)).reason == "cancelled"
    assert text_of((await world.window(agent))[-1]) == "off"


@pytest.mark.rule("G-11")
async def test_cancel_before_a_worker_has_begun_stops_the_run_too(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL count {}")
    await world.runner.cancel(ACTOR, run_ids=[submitted.run.id])

    outcome = await world.runner.fold(ACTOR, submitted.run.id)

    assert outcome.reason == "cancelled"
    assert (await world.say(agent, "SAY on")).reason == "end_turn"
