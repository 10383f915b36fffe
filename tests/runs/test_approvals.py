"""Runs that wait for an answer, and those that go on from it, over a real database."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.approvals import pending
from eunoe.domain.conversations import Conversation
from eunoe.domain.inputs import Answers, InputMessage
from eunoe.domain.messages import Answer, Decision, Json, Message, Text, ToolReturn
from eunoe.domain.runs import Run, RunOptions, Usage
from eunoe.engine.ports import ModelRequest
from eunoe.errors import ApprovalPending, DatabaseUnreachable, ListBusy
from eunoe.runs.feed import Feed
from eunoe.runs.submit import Submission, submit
from eunoe.store import conversations, lists
from eunoe.testing.scripted import Events, ScriptedModel, call, say
from tests.crash.invariants import faults
from tests.runs.conftest import ACTOR, World, running
from tests.runs.faulty import Unqueued, stored, worker
from tests.runs.test_tool_rules import carried_out, offered, rule

pytestmark = pytest.mark.anyio

COUNTS = rule("requires_approval", "count")
WAITS = rule("requires_approval", "wait")


def submission(agent: Agent, *given: Answer, text: str = "", **options: object) -> Submission:
    said = InputMessage(role="user", content=(Text(text=text),), otid="otid")
    return Submission(
        agent_id=agent.id,
        messages=(said,) if text else (),
        answers=Answers(given=given) if given else None,
        options=replace(RunOptions(), **options),
    )


async def taken_in(world: World, one: Submission) -> Run:
    """Return a run that nobody carries out."""
    return (await submit(world.db, Unqueued(), Feed(world.db), ACTOR, one)).run


async def waiting_calls(world: World, agent: Agent, *, list_id: str | None = None) -> list[str]:
    async with world.db.read(ACTOR) as tx:
        request = pending(await lists.window(tx, list_id or agent.id))
    return [] if request is None else [call.id for call in request.message.calls]


async def approved(world: World, agent: Agent) -> list[Answer]:
    return [Decision(call_id=i, approve=True) for i in await waiting_calls(world, agent)]


def returns_of(said: Sequence[Message]) -> list[ToolReturn]:
    return [result for message in said for result in message.returns]


@pytest.mark.rule("FIX-15", "TR4", "TR6", "H13", "H14")
@pytest.mark.parametrize("approve", [True, False])
async def test_rules_see_what_was_called_before_a_request(world: World, *, approve: bool) -> None:
    """Even over several requests; a denied call counts for none of them."""
    await world.runner.stop()
    limit: Json = rule("max_count_per_step", "count", max_count_limit=2)
    agent = await world.agent(tool_rules=(COUNTS, limit))
    run = await taken_in(world, submission(agent, text="go"))
    done = await carried_out(world, agent, run, ScriptedModel(call(("count", {"n": 1}))))
    assert (done.run.stop_reason, done.calls) == ("requires_approval", [])
    (first,) = await waiting_calls(world, agent)
    run = await taken_in(world, submission(agent, Decision(call_id=first, approve=approve)))
    done = await carried_out(world, agent, run, ScriptedModel(call(("count", {"n": 2}))))
    assert done.run.stop_reason == "requires_approval"
    assert "count" in offered(done.requests[0])
    run = await taken_in(world, submission(agent, *await approved(world, agent)))
    done = await carried_out(world, agent, run, ScriptedModel(say("done")))
    assert ("count" in offered(done.requests[0])) is not approve
    assert [one.ok for one in done.returns] == [approve, True]


@pytest.mark.rule("H1", "L38", "TR8")
async def test_nobody_is_asked_about_a_call_that_the_rules_forbid(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent(tool_rules=(COUNTS, rule("run_first", "look")))
    run = await taken_in(world, submission(agent, text="go"))
    model = ScriptedModel(call(("count", {})), call(("look", {})), call(("count", {})))
    done = await carried_out(world, agent, run, model)
    assert [name for name, _ in done.calls] == ["look"]
    assert [one.ok for one in done.returns] == [False, True]
    assert done.run.stop_reason == "requires_approval"


@pytest.mark.rule("G-17", "G-1", "H12", "H34", "FIX-3")
async def test_an_approved_call_is_run_once_whoever_dies(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent(tool_rules=(WAITS,))
    run = await taken_in(world, submission(agent, text="CALL wait {}"))
    await worker(world).carry_out(run.id)
    given = await approved(world, agent)
    run = await taken_in(world, submission(agent, *given, text="SAY Well.", max_steps=1))
    dying = asyncio.create_task(worker(world).carry_out(run.id))
    await world.tools.entered.wait()
    dying.cancel()
    await asyncio.wait([dying])
    world.tools.gate.set()
    await worker(world).carry_out(run.id)
    assert [name for name, _ in world.tools.calls] == ["wait"]
    said = await world.window(agent)
    (returned,) = returns_of(said)
    assert (returned.ok, "unknown" in str(returned.output)) == (False, True)
    assert said[-1].content == (Text(text="Well."),)
    assert (await stored(world, run.id)).stop_reason == "end_turn"
    assert await faults(world.db) == []


@pytest.mark.rule("G-1", "G-3", "H34")
async def test_an_answer_that_was_taken_in_outlives_its_server(world: World) -> None:
    await world.runner.stop()
    agent = await world.agent(tool_rules=(COUNTS,))
    run = await taken_in(world, submission(agent, text="CALL count {}"))
    async with running(world.successor()) as successor:
        await successor.fold(ACTOR, run.id)
    run = await taken_in(world, submission(agent, *await approved(world, agent), text="SAY So."))
    async with running(world.successor()) as successor:
        assert (await successor.fold(ACTOR, run.id)).reason == "end_turn"
    assert [name for name, _ in world.tools.calls] == ["count"]
    assert await faults(world.db) == []


@pytest.mark.rule("G-14", "H27", "G-2")
async def test_a_run_that_fails_before_it_acts_leaves_nothing_waiting(world: World) -> None:
    agent = await world.agent(tool_rules=(COUNTS,))
    await world.say(agent, "CALL count {}")
    one = submission(agent, *await approved(world, agent), override_model="nobody/serves-it")
    submitted = await world.runner.submit(ACTOR, one)
    outcome = await world.runner.fold(ACTOR, submitted.run.id)
    assert outcome.failed is not None
    assert world.tools.calls == []
    assert [one.ok for one in returns_of(await world.window(agent))] == [False]
    assert (await world.say(agent, "SAY Fine.")).reason == "end_turn"
    assert await faults(world.db) == []


@pytest.mark.rule("G-11", "FIX-23", "H13")
@pytest.mark.parametrize("running_already", [True, False])
async def test_a_run_that_acts_on_an_answer_can_be_cancelled(
    world: World, *, running_already: bool
) -> None:
    agent = await world.agent(tool_rules=(WAITS, COUNTS))
    await world.say(agent, 'CALLS [{"name": "wait"}, {"name": "count"}]')
    wait, count = await waiting_calls(world, agent)
    answers = (
        Decision(call_id=wait, approve=True),
        Decision(call_id=count, approve=False, reason="No."),
    )
    if running_already:
        run = (await world.runner.submit(ACTOR, submission(agent, *answers))).run
        await world.tools.entered.wait()
        await world.runner.cancel(ACTOR, agent_id=agent.id)
        assert (await world.runner.fold(ACTOR, run.id)).reason == "cancelled"
    else:
        await world.runner.stop()
        run = await taken_in(world, submission(agent, *answers))
        await world.runner.cancel(ACTOR, agent_id=agent.id)
        await worker(world).carry_out(run.id)
        assert (await stored(world, run.id)).stop_reason == "cancelled"
    assert [name for name, _ in world.tools.calls] == ["wait"] * running_already
    waited, counted = returns_of(await world.window(agent))
    assert "cancelled" in str(waited.output)
    assert "No." in str(counted.output)
    assert await faults(world.db) == []


@pytest.mark.rule("G-12", "L11", "H24")
async def test_of_two_answers_at_once_one_is_taken(world: World) -> None:
    agent = await world.agent(tool_rules=(WAITS,))
    await world.say(agent, "CALL wait {}")
    one = submission(agent, *await approved(world, agent))
    taken = await asyncio.gather(
        *(world.runner.submit(ACTOR, one) for _ in range(4)), return_exceptions=True
    )
    (run,) = [found.run for found in taken if not isinstance(found, BaseException)]
    assert sum(isinstance(found, ListBusy) for found in taken) == 3
    world.tools.gate.set()
    assert (await world.runner.fold(ACTOR, run.id)).reason == "end_turn"
    assert len(world.tools.calls) == 1


async def conversation_of(world: World, agent: Agent) -> str:
    one = Conversation(
        id=ids.new("conversation"),
        agent_id=agent.id,
        created_at=agent.created_at,
        updated_at=agent.created_at,
    )
    system = Message(
        id=ids.new("message"),
        role="system",
        agent_id=agent.id,
        conversation_id=one.id,
        content=(Text(text="old"),),
        created_at=agent.created_at,
    )
    async with world.db.write(ACTOR) as tx:
        await conversations.insert(tx, one)
        await lists.create(tx, one.id)
        await lists.append(tx, one.id, [system])
    return one.id


@pytest.mark.rule("FIX-24", "G-24", "H28", "H30", "streaming-4.7")
@pytest.mark.parametrize("by", ["ids", "conversation", "agent"])
async def test_a_request_waits_and_is_cancelled_in_its_own_conversation(
    world: World, by: str
) -> None:
    agent = await world.agent(tool_rules=(COUNTS,))
    there = await conversation_of(world, agent)

    async def say_there(text: str) -> Run:
        one = replace(submission(agent, text=text), conversation_id=there)
        run = (await world.runner.submit(ACTOR, one)).run
        await world.runner.fold(ACTOR, run.id)
        return run

    run = await say_there("CALL count {}")
    with pytest.raises(ApprovalPending):
        await say_there("And?")
    assert (await world.say(agent, "SAY Fine.")).reason == "end_turn"
    before = await world.window(agent)
    done = await world.runner.cancel(
        ACTOR,
        agent_id=None if by == "conversation" else agent.id,
        conversation_id=there if by == "conversation" else None,
        run_ids=[run.id] if by == "ids" else None,
    )
    assert done == {run.id: "cancelled"}
    assert (await stored(world, run.id)).status == "cancelled"
    assert await world.window(agent) == before
    assert await waiting_calls(world, agent, list_id=there) == []
    await say_there("SAY Fine.")
    assert world.tools.calls == []
    assert await faults(world.db) == []


@pytest.mark.rule("C6", "C13", "H3", "H34")
@pytest.mark.parametrize("cut_off", [True, False])
async def test_a_full_window_is_made_room_in_before_the_run_waits(
    world: World, *, cut_off: bool
) -> None:
    """An owner that dies in between is followed by one that lets it wait."""
    await world.runner.stop()
    agent = await world.agent(tool_rules=(COUNTS,))
    agent = await world.agent(
        tool_rules=(COUNTS,), model=replace(agent.model, context_window=8_000)
    )
    for _ in range(3):
        run = await taken_in(world, submission(agent, text="and so on " * 200))
        await carried_out(world, agent, run, ScriptedModel(say("Yes.")))
    asks = call(("count", {}), usage=Usage(prompt_tokens=7_500, total_tokens=7_600))
    run = await taken_in(world, submission(agent, text="go"))
    if cut_off:
        with pytest.raises(DatabaseUnreachable):
            await carried_out(world, agent, run, ScriptedModel(asks, _dies))
        assert (await stored(world, run.id)).status == "running"
        done = await carried_out(world, agent, run, ScriptedModel())
    else:
        done = await carried_out(world, agent, run, ScriptedModel(asks, say("They went on.")))
        assert "summary" in [one.role for one in done.said]
    assert (done.run.status, done.run.stop_reason) == ("completed", "requires_approval")
    run = await taken_in(world, submission(agent, *await approved(world, agent)))
    done = await carried_out(world, agent, run, ScriptedModel(say("done")))
    assert [name for name, _ in done.calls] == ["count"]


def _dies(_: ModelRequest) -> Events:
    raise DatabaseUnreachable
