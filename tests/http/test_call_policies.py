"""Calls that an agent may make unasked, that somebody is asked about, and that are never made."""

import json
from datetime import timedelta
from typing import Any

import pytest
from letta_client import APIStatusError, AsyncLetta

from eunoe.domain.agents import Agent
from eunoe.domain.messages import Json
from eunoe.runs.deadlines import Deadlines
from eunoe.service import keys
from eunoe.store import costs
from eunoe.store.costs import CostFilter
from tests.contract.reading import heard
from tests.crash.invariants import faults
from tests.http.approving import answered, asked, ids_of, kinds, listed, rule, waits, yes
from tests.http.calling import Clock, calling, carry_out, receiving
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio

ASK: Json = {"tool": "count", "effect": "ask"}
SIGNER = "whsec_c2VjcmV0"
SMALL: Json = {"tool": "count", "arguments": {"/n": "[0-9]"}, "effect": "allow"}


def count(*numbers: int, name: str = "count") -> str:
    calls = [{"name": name, "arguments": {"n": number}} for number in numbers]
    return f"CALLS {json.dumps(calls)}"


async def put(letta: AsyncLetta, agent: Agent, *policies: Json, webhook: str | None = None) -> Any:
    body = {"policies": list(policies), "webhook_url": webhook}
    path = f"/v1/agents/{agent.id}/call-policies"
    set_there: Any = await letta.put(path, body=body, cast_to=object)
    assert set_there == await letta.get(path, cast_to=object)
    return set_there


@pytest.mark.rule("H1", "H2")
async def test_arguments_decide_who_is_asked_whatever_the_rules_say(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent(tool_rules=(rule("count"),))
    shown = await put(strict, agent, SMALL, ASK)
    assert [one["effect"] for one in shown["policies"]] == ["allow", "ask"]
    free = await strict.agents.messages.create(agent.id, input=count(3))
    assert free.stop_reason.stop_reason == "end_turn"
    assert world.tools.calls == [("count", {"n": 3})]
    request = await asked(strict, agent, count(4, 40))
    assert len(request.tool_calls) == 1
    assert len(world.tools.calls) == 1
    await answered(strict, agent, [yes(one) for one in ids_of(request)])
    assert world.tools.calls[1:] == [("count", {"n": 4}), ("count", {"n": 40})]
    assert await faults(world.db) == []


@pytest.mark.rule("H1", "H14")
async def test_a_call_that_is_denied_is_answered_with_the_reason_and_not_made(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent()
    await put(strict, agent, {"tool": "cou*", "effect": "deny", "reason": "Not on Sundays."})
    answer = await strict.agents.messages.create(agent.id, input=count(1))
    (returned,) = [one for one in answer.messages if one.message_type == "tool_return_message"]
    assert returned.status == "error"
    assert "Not on Sundays." in str(returned.tool_return)
    assert world.tools.calls == []


@pytest.mark.rule("H5", "streaming-2.5")
@pytest.mark.parametrize("mode", ["steps", "tokens"])
async def test_a_streamed_call_is_shown_as_what_it_turns_out_to_be(
    world: World, strict: AsyncLetta, mode: str
) -> None:
    agent = await world.agent()
    await put(strict, agent, SMALL, ASK)
    stream = await strict.agents.messages.create(
        agent.id, input=count(1, 10), streaming=True, stream_tokens=mode == "tokens"
    )
    got = heard([event async for event in stream])
    kept = [
        one
        for one in await listed(strict, agent)
        if "call" in one.message_type or "approval" in one.message_type
    ]
    assert [one.message_type for one in kept] == ["tool_call_message", "approval_request_message"]
    assert [kind for kind in dict.fromkeys(got.kinds) if kind in kinds(kept)] == kinds(kept)


@pytest.mark.rule("H1")
@pytest.mark.parametrize(("then", "made"), [("deny", []), ("approve", [("count", {"n": 9})])])
async def test_a_request_that_nobody_answers_is_decided_once_its_time_has_come(
    world: World, strict: AsyncLetta, then: str, made: list[Any]
) -> None:
    clock = Clock()
    due = Deadlines(db=world.db, entrance=world.runner, now=clock)
    agent = await world.agent()
    await put(strict, agent, {**ASK, "expires_after_s": 3_600, "then": then})
    text, key = await keys.create(world.db, name="app", scope="run")
    request = await asked(strict.with_options(api_key=text), agent, count(9))
    assert await due.pending() == []
    await due.carry_out(request.id)
    assert await waits(strict, agent) is not None
    clock.now += timedelta(hours=1)
    # As another process would after a restart: from the row alone.
    (name,) = await Deadlines(db=world.db, entrance=world.runner, now=clock).pending()
    await due.carry_out(name)
    await due.carry_out(name)
    (run,) = [
        one
        for one in (await strict.runs.list(agent_id=agent.id)).items
        if one.metadata and one.metadata["run_type"] == "approval_expired"
    ]
    await world.runner.fold(ACTOR, run.id)
    assert await waits(strict, agent) is None
    assert (await due.pending(), world.tools.calls) == ([], made)
    assert await faults(world.db) == []
    async with world.db.read(ACTOR) as tx:
        (spent,) = await costs.sums(tx, CostFilter(agent_id=agent.id), by="key")
    assert (spent.group, spent.steps) == (key.id, 2)


@pytest.mark.rule("H1")
async def test_a_request_that_was_answered_is_not_decided_again(
    world: World, strict: AsyncLetta
) -> None:
    clock = Clock()
    due = Deadlines(db=world.db, entrance=world.runner, now=clock)
    agent = await world.agent()
    await put(strict, agent, {**ASK, "expires_after_s": 1, "then": "approve"})
    first = await asked(strict, agent, count(1))
    await answered(strict, agent, [yes(one, approve=False) for one in ids_of(first)])
    # The same ids once more, as some models write them: the answer is for the first request.
    await put(strict, agent, ASK)
    await asked(strict, agent, count(1))
    clock.now += timedelta(hours=1)
    for name in await due.pending():
        await due.carry_out(name)
    assert (await due.pending(), world.tools.calls) == ([], [])
    assert await waits(strict, agent) is not None


@pytest.mark.rule("G-20")
async def test_a_webhook_is_told_of_what_waits_and_of_nothing_else(
    world: World, strict: AsyncLetta
) -> None:
    clock = Clock()
    async with receiving() as receiver, calling(world, clock, secret=SIGNER) as callbacks:
        agent = await world.agent()
        await put(strict, agent, {**ASK, "expires_after_s": 60}, webhook=f"{receiver.url}/ask")
        await strict.agents.messages.create(agent.id, input="Hello.")
        assert await carry_out(callbacks) == 0
        request = await asked(strict, agent, count(1))
        receiver.statuses = [500, 200]
        assert await carry_out(callbacks) == 1
        clock.now += timedelta(minutes=1)
        assert await carry_out(callbacks) == 1
        told = receiver.bodies[-1]
        assert receiver.told[-1].headers["webhook-id"] == request.id
        assert "webhook-signature" in receiver.told[-1].headers
        assert (told["type"], told["agent_id"], told["run_id"]) == (
            "approval_request",
            agent.id,
            request.run_id,
        )
        assert [one["tool_call_id"] for one in told["tool_calls"]] == ids_of(request)
        assert told["expires_at"] is not None
        await answered(strict, agent, [yes(one) for one in ids_of(request)])
        later = await asked(strict, agent, count(2))
        await answered(strict, agent, [yes(one) for one in ids_of(later)])
        assert await carry_out(callbacks) == 1
        assert len(receiver.told) == 2


@pytest.mark.parametrize(
    "policy",
    [
        {"effect": "maybe"},
        {"effect": "allow", "expires_after_s": 5},
        {"effect": "ask", "expires_after_s": 0},
        {"effect": "ask", "arguments": {"to": "*"}},
        {"effect": "ask", "tools": ["count"]},
    ],
)
@pytest.mark.rule("H1")
async def test_a_policy_that_makes_no_sense_is_refused(
    world: World, strict: AsyncLetta, policy: Json
) -> None:
    agent = await world.agent()
    with pytest.raises(APIStatusError) as refused:
        await put(strict, agent, policy)
    assert refused.value.status_code == 422
