"""A run from its request to its end, over a real database and a real model server."""

import asyncio
from dataclasses import replace

import pytest

from eunoe.domain.events import Ended, Failed, Shown, Started, Used
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Text, text_of
from eunoe.domain.models import GLOBAL_CONTEXT_CAP
from eunoe.domain.runs import RunOptions
from eunoe.domain.views import Answered, Called, Returned
from eunoe.errors import ListBusy, Missing, OtidReused
from eunoe.runs.runner import Outcome
from eunoe.runs.submit import Submission
from eunoe.store import blocks, events, runs, steps
from eunoe.store.db import Actor
from eunoe.store.paging import Page
from eunoe.store.steps import StepFilter
from tests.runs.conftest import ACTOR, World, running

pytestmark = pytest.mark.anyio


def kinds(outcome: Outcome) -> list[str]:
    return [type(view.body).__name__ for view in outcome.views]


@pytest.mark.rule("L36", "L52", "G-3")
async def test_a_text_answer_ends_the_turn_and_both_sides_are_in_the_window(world: World) -> None:
    agent = await world.agent()

    outcome = await world.say(agent, "SAY hello")

    assert (outcome.reason, kinds(outcome)) == ("end_turn", ["Answered"])
    assert outcome.used.step_count == 1
    assert [m.role for m in await world.window(agent)] == ["system", "user", "assistant"]


@pytest.mark.rule("L22", "L23", "L24")
async def test_the_system_message_is_rebuilt_once_and_then_kept_byte_for_byte(world: World) -> None:
    agent = await world.agent()
    await world.say(agent, "SAY one")
    first = (await world.window(agent))[0]
    await world.say(agent, "SAY two")
    second = (await world.window(agent))[0]

    assert "Name: Bob" in text_of(first)
    assert first == second


@pytest.mark.rule("L36", "L42", "L45", "FIX-27", "L23")
async def test_a_memory_edit_changes_block_prompt_and_history_together(world: World) -> None:
    agent = await world.agent()

    outcome = await world.say(
        agent, 'CALL core_memory_append {"label": "human", "content": "Likes tea"}'
    )

    assert kinds(outcome) == ["Called", "Returned", "Answered"]
    window = await world.window(agent)
    assert "Likes tea" in text_of(window[0])
    assert [m.role for m in window] == ["system", "user", "assistant", "tool", "assistant"]
    assert window[3].returns[0].ok


@pytest.mark.rule("FIX-4b", "L23")
async def test_a_block_that_others_change_meanwhile_is_seen_at_the_next_step(world: World) -> None:
    agent = await world.agent()
    run = (await world.submit(agent, "CALL wait {}")).run
    await world.tools.entered.wait()
    async with world.db.write(ACTOR) as tx:
        (block,) = await blocks.of_agent(tx, agent.id)
        await blocks.update(tx, block.with_value("Name: Eve"), expected_version=block.version)
    world.tools.gate.set()
    await world.runner.fold(ACTOR, run.id)
    assert [b"Name: Eve" in request for request in world.model.requests] == [False, True]


@pytest.mark.rule("M5", "L47")
async def test_a_failed_edit_is_an_error_return_and_changes_nothing(world: World) -> None:
    agent = await world.agent()

    await world.say(agent, 'CALL core_memory_append {"label": "nobody", "content": "x"}')

    window = await world.window(agent)
    assert not window[3].returns[0].ok
    assert "human" in str(window[3].returns[0].output)
    assert "Name: Bob" in text_of(window[0])


@pytest.mark.rule("L38")
async def test_an_unknown_tool_is_an_error_return_and_the_loop_goes_on(world: World) -> None:
    agent = await world.agent()

    outcome = await world.say(agent, "CALL conjure {}")

    body = outcome.views[1].body
    assert isinstance(body, Returned)
    assert str(body.returns[0].output).startswith("[ToolConstraintError]")
    assert outcome.reason == "end_turn"


@pytest.mark.rule("L40", "TR8")
async def test_several_calls_of_one_reply_are_answered_in_call_order(world: World) -> None:
    agent = await world.agent()
    calls = '[{"name": "count", "arguments": {}}, {"name": "look", "arguments": {}},'
    calls += ' {"name": "fail", "arguments": {}}]'

    outcome = await world.say(agent, f"CALLS {calls}")

    called, returned = outcome.views[0].body, outcome.views[1].body
    assert isinstance(called, Called)
    assert isinstance(returned, Returned)
    assert [c.id for c in called.calls] == [r.call_id for r in returned.returns]
    assert [(r.name, r.ok) for r in returned.returns] == [
        ("count", True),
        ("look", True),
        ("fail", False),
    ]
    assert [name for name, _ in world.tools.calls] == ["look", "count", "fail"]


@pytest.mark.rule("L35")
async def test_only_the_first_call_counts_where_parallel_calls_are_off(world: World) -> None:
    agent = await world.agent(model=await world.registry.resolve("openai/scripted-1"))
    calls = '[{"name": "count", "arguments": {}}, {"name": "count", "arguments": {}}]'

    await world.say(agent, f"CALLS {calls}")

    assert len(world.tools.calls) == 1


@pytest.mark.rule("L5", "streaming-1.6")
async def test_a_model_for_one_request_is_asked_as_an_agent_of_its_own_would_be(
    world: World,
) -> None:
    world.model.options = replace(world.model.options, context_window=1_000_000)
    agent = await world.agent()
    run = (await world.submit(agent, "SAY hi", override_model="openai/gpt-4.1")).run
    await world.runner.fold(ACTOR, run.id)
    async with world.db.read(ACTOR) as tx:
        (step,) = await steps.list_steps(tx, StepFilter(run_id=run.id), Page(limit=2))
    assert (step.model, step.context_window_limit) == ("gpt-4.1", GLOBAL_CONTEXT_CAP)


@pytest.mark.rule("L50")
async def test_a_run_stops_after_max_steps(world: World) -> None:
    agent = await world.agent()

    outcome = await world.say(agent, "CALL count {}", max_steps=1)

    assert outcome.reason == "max_steps"
    assert outcome.used.step_count == 1


@pytest.mark.rule("streaming-2.7", "streaming-2.5", "G-4")
async def test_a_token_stream_says_the_same_as_the_stored_message(world: World) -> None:
    agent = await world.agent()

    submitted = await world.submit(agent, "SAY a b c d e f", stream_tokens=True)
    said = await world.events(submitted.run.id)

    assert isinstance(said[0][1], Started)
    assert [seq for seq, _ in said] == list(range(1, len(said) + 1))
    assert [type(event).__name__ for _, event in said[-3:]] == ["Stopped", "Used", "Ended"]
    shown = [e.view for _, e in said if isinstance(e, Shown)]
    text = "".join(v.body.text for v in shown if isinstance(v.body, Answered))
    answer = (await world.window(agent))[-1]
    assert text == text_of(answer)
    assert {v.message_id for v in shown} == {answer.id}


@pytest.mark.rule("G-4")
async def test_reading_on_from_any_place_gives_the_rest_exactly(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL count {}", stream_tokens=True)
    whole = await world.events(submitted.run.id)

    for place in range(len(whole)):
        assert await world.events(submitted.run.id, after=place) == whole[place:]
    past = await world.events(submitted.run.id, after=len(whole))
    assert [type(event) for _, event in past] == [Ended]


@pytest.mark.rule("G-12")
async def test_a_second_request_to_a_busy_list_is_refused_before_any_effect(world: World) -> None:
    agent = await world.agent()
    first = await world.submit(agent, "CALL wait {}")
    await world.tools.entered.wait()
    before = await world.window(agent)

    with pytest.raises(ListBusy) as refused:
        await world.submit(agent, "SAY me too")

    assert refused.value.run_id == first.run.id
    assert await world.window(agent) == before
    world.tools.gate.set()
    assert (await world.runner.fold(ACTOR, first.run.id)).reason == "end_turn"
    assert (await world.say(agent, "SAY again")).reason == "end_turn"


@pytest.mark.rule("G-5")
async def test_the_same_otids_give_the_same_run(world: World) -> None:
    agent = await world.agent()
    first = await world.submit(agent, "SAY once", otids=("o-1",))
    await world.runner.fold(ACTOR, first.run.id)

    again = await world.submit(agent, "SAY once", otids=("o-1",))

    assert (again.run.id, again.repeated) == (first.run.id, True)
    assert len([m for m in await world.window(agent) if m.role == "user"]) == 1


@pytest.mark.rule("G-5")
async def test_an_otid_belongs_to_one_request(world: World) -> None:
    agent, other = await world.agent(), await world.agent()
    first = await world.submit(agent, "SAY one", otids=("o-1", "o-2", "o-1"))
    await world.runner.fold(ACTOR, first.run.id)
    for otids in (("o-1",), ("o-3", "o-2"), ("o-2", "o-1")):
        with pytest.raises(OtidReused) as refused:
            await world.submit(agent, "SAY two", otids=otids)
        assert refused.value.detail["run_id"] == first.run.id
    assert len([m for m in await world.window(agent) if m.role == "user"]) == 1
    third = await world.submit(agent, "SAY three", otids=("o-3",))
    await world.runner.fold(ACTOR, third.run.id)
    elsewhere = await world.submit(other, "SAY one", otids=("o-1",))
    assert not elsewhere.repeated


@pytest.mark.rule("G-3", "FIX-9", "streaming-5.1", "streaming-9.3", "G-8")
@pytest.mark.parametrize(
    ("said", "error_type", "reason"),
    [
        ("FAIL 401", "llm_authentication", "llm_api_error"),
        ("FAIL 400", "llm_error", "llm_api_error"),
        ("EOF 2", "llm_error", "llm_api_error"),
        ("DROP 2", "llm_error", "llm_api_error"),
    ],
)
async def test_a_provider_that_fails_ends_the_run_and_keeps_the_input(
    world: World, said: str, error_type: str, reason: str
) -> None:
    agent = await world.agent()

    outcome = await world.say(agent, said, stream_tokens=True)

    assert isinstance(outcome.failed, Failed)
    assert (outcome.reason, outcome.failed.error_type) == (reason, error_type)
    assert [m.role for m in await world.window(agent)] == ["system", "user"]
    async with world.db.read(ACTOR) as tx:
        (failed,) = await steps.list_steps(tx, StepFilter(agent_id=agent.id), Page())
    assert (failed.status, failed.stop_reason) == ("failed", reason)
    assert failed.total_ns
    assert failed.error_data is not None
    assert failed.error_data["details"]["provider"] == "openai"
    assert (await world.say(agent, "SAY well again")).reason == "end_turn"


@pytest.mark.rule("G-10", "api-19.1")
async def test_a_run_is_terminal_when_its_end_was_read(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "SAY done")
    await world.events(submitted.run.id)

    async with world.db.read(ACTOR) as tx:
        run = await runs.get(tx, submitted.run.id)
        made = await steps.list_steps(tx, StepFilter(run_id=submitted.run.id), Page(ascending=True))

    assert run is not None
    assert (run.status, run.stop_reason, run.step_count) == ("completed", "end_turn", 1)
    assert run.total_duration_ns
    assert run.ttft_ns
    assert [(s.status, s.stop_reason) for s in made] == [("success", "end_turn")]
    assert run.usage == made[0].usage


@pytest.mark.rule("G-18")
async def test_usage_is_the_sum_of_the_steps(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "STEPS 3")
    outcome = await world.runner.fold(ACTOR, submitted.run.id)

    async with world.db.read(ACTOR) as tx:
        made = await steps.list_steps(tx, StepFilter(run_id=submitted.run.id), Page(ascending=True))

    assert isinstance(outcome.used, Used)
    assert outcome.used.step_count == len(made) == 4
    assert outcome.used.usage.total_tokens == sum(s.usage.total_tokens for s in made)


async def test_an_unknown_agent_is_missing(world: World) -> None:
    agent = await world.agent()
    ghost = agent.id[:-1] + ("0" if agent.id[-1] != "0" else "1")

    with pytest.raises(Missing):
        await world.submit(replace(agent, id=ghost), "SAY hi")


@pytest.mark.rule("G-22")
async def test_the_log_of_an_old_run_is_swept_away_and_says_so(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "SAY hi")
    await world.runner.fold(ACTOR, submitted.run.id)
    await world.runner.sweep()
    assert await world.events(submitted.run.id)

    async with world.db.write(ACTOR) as tx:
        await tx.execute("UPDATE runs SET completed_at = 0 WHERE id = $1", submitted.run.id)
    await world.runner.sweep()

    async with world.db.read(ACTOR) as tx:
        assert await events.last_seq(tx, submitted.run.id) == 0


@pytest.mark.rule("G-8", "G-25")
async def test_a_reader_of_a_run_that_is_taken_over_waits_without_spinning(world: World) -> None:
    agent = await world.agent()
    submitted = await world.submit(agent, "CALL wait {}")
    await world.tools.entered.wait()
    await world.runner.stop()

    later = world.successor()
    async with running(later):
        world.tools.entered.clear()
        reading = asyncio.create_task(later.fold(ACTOR, submitted.run.id))
        outcome = await asyncio.wait_for(reading, timeout=10)

    assert outcome.reason == "end_turn"
    returned = [v.body for v in outcome.views if isinstance(v.body, Returned)]
    assert "unknown" in str(returned[0].returns[0].output)
    assert [name for name, _ in world.tools.calls] == ["wait"]


@pytest.mark.rule("api-1.11")
async def test_a_list_of_another_organization_is_missing(world: World) -> None:
    agent = await world.agent()
    stranger = Actor(organization_id="org-11111111-1111-4111-8111-111111111111")
    said = InputMessage(role="user", content=(Text(text="hi"),), otid="o")
    submission = Submission(agent_id=agent.id, messages=(said,), options=RunOptions())

    with pytest.raises(Missing):
        await world.runner.submit(stranger, submission)

    assert len(await world.window(agent)) == 1


@pytest.mark.rule("C3", "C6")
async def test_a_provider_that_reports_no_usage_is_counted_for(world: World) -> None:
    agent = await world.agent()
    world.model.options = replace(world.model.options, usage=False)

    outcome = await world.say(agent, "SAY hello", stream_tokens=True)

    assert outcome.used.usage.total_tokens == 0
    assert (outcome.used.context_tokens or 0) > 20
