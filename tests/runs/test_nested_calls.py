"""Calls that a call makes: on record as any other, and held to the same rules (X40)."""

import asyncio
import json

import pytest

from eunoe.domain.agents import Agent
from eunoe.domain.call_policies import CallPolicies, CallPolicy
from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolSchema
from tests.runs.conftest import ACTOR, World, running

pytestmark = [pytest.mark.anyio, pytest.mark.rule("X40")]


def inner(name: str, **arguments: object) -> Json:
    return {"name": name, "arguments": arguments}


def nest(*calls: Json) -> str:
    return f"CALLS {json.dumps([{'name': 'nest', 'arguments': {'calls': calls}}])}"


async def told(world: World, agent: Agent, *calls: Json, **options: object) -> list[str]:
    """Have the agent make one call that makes these; return what each came to."""
    world.tools.more = ("nest",)
    await world.say(agent, nest(*calls), **options)
    returns = [one for message in await world.window(agent) for one in message.returns]
    said: list[str] = json.loads(str(returns[-1].output))
    return said


async def test_a_call_from_within_is_made_by_the_same_door(world: World) -> None:
    agent = await world.agent()
    first, second, gone = await told(world, agent, inner("count", n=1), inner("fail"), inner("x"))
    assert (first, second) == ("count 1", "fail 2")
    assert "cannot be called" in gone
    assert world.tools.calls == [("count", {"n": 1}), ("fail", {})]


@pytest.mark.rule("H1")
async def test_what_waits_or_has_a_rule_is_called_by_itself_alone(world: World) -> None:
    no = CallPolicy(effect="deny", tool="count", arguments={"/n": "2"}, reason="Not two.")
    agent = await world.agent(
        tool_rules=(
            {"type": "requires_approval", "tool_name": "fail"},
            {"type": "max_count_per_step", "tool_name": "look", "max_count_limit": 1},
        ),
        call_policies=CallPolicies(policies=(no,)),
    )
    mine = ToolSchema(name="click", description="", parameters={})
    said = await told(
        world,
        agent,
        *(inner("fail"), inner("look"), inner("click"), inner("count", n=2), inner("count", n=3)),
        client_tools=(mine,),
    )
    assert ["waits" in said[0], "rule" in said[1], "waits" in said[2]] == [True] * 3
    assert "Not two." in said[3]
    assert world.tools.calls == [("count", {"n": 3})]


@pytest.mark.rule("G-17")
async def test_no_call_from_within_is_made_again_after_a_crash(world: World) -> None:
    agent = await world.agent()
    world.tools.more = ("nest",)
    made = await world.submit(agent, nest(inner("count"), inner("wait")))
    async with asyncio.timeout(20):
        await world.tools.entered.wait()
    await world.runner.stop()
    world.tools.gate.set()
    async with running(world.successor()) as runner:
        await runner.fold(ACTOR, made.run.id)
    (returned,) = [one for message in await world.window(agent) for one in message.returns]
    assert (returned.ok, "unknown" in str(returned.output)) == (False, True)
    assert [name for name, _ in world.tools.calls] == ["count", "wait"]
