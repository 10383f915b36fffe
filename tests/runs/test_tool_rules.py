"""Runs under tool rules, over a real database: what is offered, forced, refused, and the end."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.events import CallDelta
from eunoe.domain.messages import Json, Message, ToolReturn, text_of
from eunoe.domain.runs import Run
from eunoe.domain.tool_rules import REFUSED
from eunoe.domain.tools import ToolSchema
from eunoe.domain.views import UserSaid
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.store import lists
from eunoe.testing.scripted import ScriptedModel, ScriptedReply, call, say
from tests.crash.invariants import faults
from tests.runs.conftest import ACTOR, CountingTools, World, toolboxes
from tests.runs.faulty import stored, waiting, worker

pytestmark = pytest.mark.anyio

NAMES = ("count", "wait", "fail", "look", "core_memory_append", "core_memory_replace")


class TypedTools(CountingTools):
    """Says that `count` takes a number `n`."""

    def schemas(self) -> tuple[ToolSchema, ...]:
        count, *rest = super().schemas()
        typed: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
        return (ToolSchema(name=count.name, description="", parameters=typed), *rest)


class Only:
    """A registry of one model, which is what every handle means."""

    def __init__(self, world: World, model: ScriptedModel) -> None:
        self._model = model
        self.resolve = world.registry.resolve
        self.embedder_for = world.registry.embedder_for

    def of(self, organization_id: str) -> "Only":
        return self

    def model_for(self, config: object) -> ScriptedModel:
        return self._model


@dataclass(frozen=True, kw_only=True)
class Told:
    """A run that was carried out: how it ended, what the model was sent, what is in the window."""

    agent: Agent
    run: Run
    requests: list[ModelRequest]
    said: list[Message]
    calls: list[tuple[str, Json]]

    @property
    def returns(self) -> list[ToolReturn]:
        return [result for message in self.said for result in message.returns]

    @property
    def reminders(self) -> list[str]:
        """Return what the loop reminded the model of."""
        own = [one for one in self.said if one.role == "user" and one.step_id is not None]
        return [json.loads(text_of(one))["reason"] for one in own]


def rule(kind: str, name: str, **fields: object) -> Json:
    return {"type": kind, "tool_name": name, "prompt_template": None, **fields}


async def told(
    world: World, rules: Sequence[Json], *replies: ScriptedReply, max_steps: int = 50, **has: object
) -> Told:
    """Carry out a run of an agent with `rules`, whose model gives `replies`."""
    agent = await world.agent(tool_rules=tuple(rules), **has)
    run = await waiting(world, agent, "go", max_steps=max_steps)
    return await carried_out(world, agent, run, ScriptedModel(*replies))


async def carried_out(world: World, agent: Agent, run: Run, model: ScriptedModel) -> Told:
    tools = TypedTools()
    own = worker(world)
    own.models, own.toolboxes = Only(world, model), toolboxes(tools)
    await own.carry_out(run.id)
    assert await faults(world.db) == []
    return Told(
        agent=agent,
        run=await stored(world, run.id),
        requests=model.requests,
        said=await world.window(agent),
        calls=tools.calls,
    )


def offered(request: ModelRequest) -> list[str]:
    return [tool.name for tool in request.tools]


@pytest.mark.rule("TR11", "TR15", "L27", "L28", "FIX-19")
async def test_only_allowed_tools_are_offered_and_a_single_one_is_forced_by_name(
    world: World,
) -> None:
    rules = [
        rule("run_first", "count"),
        rule("constrain_child_tools", "count", children=["look", "fail"]),
    ]
    done = await told(world, rules, call(("count", {})), call(("look", {})), say("done"))
    assert [offered(one) for one in done.requests] == [["count"], ["fail", "look"], [*NAMES]]
    assert [one.choice for one in done.requests] == [
        ToolChoice(mode="required", name="count"),
        ToolChoice(mode="required"),
        ToolChoice(),
    ]
    assert done.run.stop_reason == "end_turn"


@pytest.mark.rule("TR9", "TR10", "FIX-17")
async def test_the_output_of_a_tool_picks_the_next(world: World) -> None:
    rules = [rule("conditional", "count", child_output_mapping={"count 2": "look"})]
    done = await told(
        world, rules, call(("count", {})), call(("count", {})), call(("look", {})), say("done")
    )
    assert [offered(one) for one in done.requests] == [
        [*NAMES], [*NAMES], ["look"], [*NAMES]
    ]  # fmt: skip


@pytest.mark.rule("TR7", "FIX-16", "L38", "TR17")
async def test_a_limit_of_two_allows_two_calls_and_says_so_of_a_third(world: World) -> None:
    rules = [rule("max_count_per_step", "count", max_count_limit=2)]
    again = [call(("count", {"n": n})) for n in range(3)]
    done = await told(world, rules, *again, say("done"))
    assert [arguments for _, arguments in done.calls] == [{"n": 0}, {"n": 1}]
    refused = done.returns[2]
    text = str(refused.output)
    assert not refused.ok
    assert text.startswith(REFUSED)
    assert "`count`" in text
    assert "look" in text
    assert "at most 2 times" in text
    assert ["count" in offered(one) for one in done.requests] == [True, True, False, False]
    assert done.run.stop_reason == "end_turn"


@pytest.mark.rule("TR5")
async def test_the_next_request_counts_from_nought(world: World) -> None:
    rules = [rule("max_count_per_step", "count", max_count_limit=1)]
    first = await told(world, rules, call(("count", {})), say("one"))
    run = await waiting(world, first.agent, "again")
    model = ScriptedModel(call(("count", {})), say("two"))
    second = await carried_out(world, first.agent, run, model)
    assert [result.ok for result in second.returns] == [True, True]


@pytest.mark.rule("TR8")
async def test_calls_of_one_reply_do_not_invalidate_each_other(world: World) -> None:
    rules = [rule("max_count_per_step", "count", max_count_limit=1)]
    both = call(("count", {"n": 1}), ("count", {"n": 2}))
    done = await told(world, rules, both, say("done"))
    assert len(done.calls) == 2
    assert "count" not in offered(done.requests[1])


@pytest.mark.rule("TR6", "L38", "L47")
async def test_a_call_that_was_refused_counts_for_nothing(world: World) -> None:
    rules = [rule("run_first", "count"), rule("exit_loop", "look")]
    done = await told(world, rules, call(("look", {})), call(("count", {})), call(("look", {})))
    assert [result.ok for result in done.returns] == [False, True, True]
    assert [offered(one) for one in done.requests] == [["count"], ["count"], [*NAMES]]
    assert done.run.stop_reason == "tool_rule"


@pytest.mark.rule("TR6", "FIX-7", "L47")
async def test_a_call_whose_arguments_cannot_be_read_counts_for_nothing(world: World) -> None:
    rules = [
        rule("exit_loop", "count"),
        rule("max_count_per_step", "count", max_count_limit=1),
        rule("required_before_exit", "count"),
    ]
    broken = [
        replace(one, arguments='{"n": "') if isinstance(one, CallDelta) and one.arguments else one
        for one in call(("count", {}))
    ]
    done = await told(world, rules, broken, say("done"), call(("count", {})))
    assert [result.ok for result in done.returns] == [False, True]
    assert len(done.reminders) == 1
    assert done.run.stop_reason == "tool_rule"


@pytest.mark.rule("TR12", "FIX-18", "L36")
@pytest.mark.parametrize("agent_type", ["letta_v1_agent", "memgpt_v2_agent"])
async def test_rules_that_leave_no_tool_offer_none_and_words_end_the_run(
    world: World, agent_type: str
) -> None:
    rules = [
        rule("constrain_child_tools", "count", children=["look"]),
        rule("max_count_per_step", "look", max_count_limit=0),
        rule("required_before_exit", "look"),
    ]
    done = await told(world, rules, call(("count", {})), say("done"), agent_type=agent_type)
    assert (done.requests[1].tools, done.requests[1].choice) == ((), ToolChoice())
    assert (done.run.stop_reason, len(done.requests)) == ("end_turn", 2)


@pytest.mark.rule("TR19", "FIX-19")
async def test_a_text_in_place_of_a_forced_call_is_asked_about_once(world: World) -> None:
    rules = [rule("run_first", "count")]
    heeded = await told(world, rules, say("no"), call(("count", {})), say("done"))
    assert ["count" in reason for reason in heeded.reminders] == [True]
    assert len(heeded.calls) == 1
    stubborn = await told(world, rules, say("no"), say("never"))
    assert len(stubborn.reminders) == 1
    assert stubborn.run.stop_reason == "end_turn"


@pytest.mark.rule("L36", "L47", "L50")
async def test_a_required_tool_is_asked_for_until_it_was_called(world: World) -> None:
    rules = [rule("required_before_exit", "count"), rule("required_before_exit", "gone")]
    done = await told(world, rules, say("no"), say("still no"), call(("count", {})), say("done"))
    assert [("count" in one, "gone" in one) for one in done.reminders] == [(True, False)] * 2
    assert [one.role for one in done.said[2:6]] == ["assistant", "user", "assistant", "user"]
    assert text_of(done.requests[1].messages[-1]) == text_of(done.said[3])
    assert done.said[3].step_id == done.said[2].step_id
    assert done.run.stop_reason == "end_turn"


@pytest.mark.rule("L36", "L50")
async def test_on_its_last_step_a_run_ends_with_a_required_tool_uncalled(world: World) -> None:
    rules = [rule("required_before_exit", "count")]
    done = await told(world, rules, say("no"), say("never"), max_steps=2)
    assert (len(done.reminders), done.run.stop_reason) == (1, "end_turn")


@pytest.mark.rule("L47", "L48")
async def test_a_last_word_ends_the_run_only_when_nothing_required_is_left(world: World) -> None:
    rules = [
        rule("required_before_exit", "count"),
        rule("exit_loop", "look"),
        rule("continue_loop", "fail"),
    ]
    early = await told(world, rules, call(("look", {})), call(("count", {})), call(("look", {})))
    assert (early.run.stop_reason, early.reminders) == ("tool_rule", [])
    assert len(early.returns) == 3
    both = await told(world, rules, call(("fail", {})), call(("count", {}), ("look", {})))
    assert both.run.stop_reason == "tool_rule"
    assert len(both.requests) == 2


@pytest.mark.rule("TR16", "L39")
async def test_prefilled_arguments_win_over_the_models(world: World) -> None:
    nodes = [{"name": "count", "args": {"n": 8}}]
    rules = [
        rule("run_first", "count", args={"n": 7}),
        rule("constrain_child_tools", "count", children=["count"], child_arg_nodes=nodes),
        rule("exit_loop", "look"),
    ]
    done = await told(
        world, rules, call(("count", {"n": 1, "more": "x"})), call(("count", {})), max_steps=2
    )
    assert done.calls == [("count", {"n": 7, "more": "x"}), ("count", {"n": 8})]
    assert json.loads(done.said[2].calls[0].arguments) == {"n": 1, "more": "x"}


@pytest.mark.rule("TR16", "L39", "TR6")
async def test_a_prefilled_argument_that_does_not_suit_stops_the_run(world: World) -> None:
    rules = [rule("run_first", "count", args={"n": "seven", "m": 1})]
    done = await told(world, rules, call(("count", {})))
    assert (done.run.status, done.run.stop_reason) == ("failed", "invalid_tool_call")
    assert done.calls == []
    assert [part.split(":")[0] for part in str(done.returns[0].output).split("; ")] == [
        "run_first of `count`"
    ] * 2


@pytest.mark.rule("TR4", "FIX-15", "G-1")
async def test_a_run_that_is_taken_over_goes_on_under_its_rules(world: World) -> None:
    """Even where a compaction has taken its calls out of the window."""
    await world.runner.stop()
    rules = (
        rule("run_first", "count"),
        rule("max_count_per_step", "count", max_count_limit=1),
        rule("required_before_exit", "count"),
    )
    agent = await world.agent(tool_rules=rules)
    run = await waiting(world, agent, "go")
    first = worker(world)
    first.models = Only(world, ScriptedModel(call(("count", {})), call(("wait", {}))))
    task = asyncio.create_task(first.carry_out(run.id))
    await world.tools.entered.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    asked, returned = [one for one in await world.window(agent) if one.returns or one.calls][:2]
    summary = replace(asked, id=ids.new("message"), role="summary", calls=(), step_id=None)
    async with world.db.write(ACTOR) as tx:
        await lists.evict(tx, agent.id, [asked.id, returned.id], summary=summary)

    done = await carried_out(world, agent, run, ScriptedModel(call(("count", {})), say("done")))

    assert "count" not in offered(done.requests[0])
    assert done.requests[0].choice == ToolChoice()
    assert done.calls == []
    assert (done.run.stop_reason, done.reminders) == ("end_turn", [])


@pytest.mark.rule("L36", "G-4")
async def test_no_reader_is_shown_a_reminder(world: World) -> None:
    agent = await world.agent(tool_rules=(rule("required_before_exit", "count"),))
    outcome = await world.say(agent, "SAY no", max_steps=2)
    assert not any(isinstance(view.body, UserSaid) for view in outcome.views)
    assert outcome.reason == "end_turn"
    assert [one.role for one in await world.window(agent)].count("user") == 2


@pytest.mark.rule("L9")
async def test_an_agent_that_forgets_still_sees_the_run_that_goes_on(world: World) -> None:
    rules = [rule("max_count_per_step", "count", max_count_limit=1)]
    first = await told(world, rules, say("one"), message_buffer_autoclear=True)
    run = await waiting(world, first.agent, "again")
    model = ScriptedModel(call(("count", {})), say("two"))
    second = await carried_out(world, first.agent, run, model)
    roles = [[one.role for one in request.messages] for request in second.requests]
    assert roles == [["system", "user"], ["system", "user", "assistant", "tool"]]
    assert "count" not in offered(second.requests[1])
