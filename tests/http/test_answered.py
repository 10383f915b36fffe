"""What follows an answer: repeats, what came with it, cancelling, and tools that are gone."""

import json
from typing import Any

import httpx
import pytest
from letta_client import AsyncLetta, AuthenticationError, ConflictError

from eunoe.ids import is_id, new
from tests.contract.reading import content_of
from tests.crash.invariants import faults
from tests.http.approving import (
    ALL,
    CAREFUL,
    answered,
    asked,
    given,
    ids_of,
    kinds,
    listed,
    rule,
    waits,
    yes,
)
from tests.runs.conftest import World

pytestmark = pytest.mark.anyio


@pytest.mark.rule("H24", "H27", "api-8.1", "G-14")
async def test_a_repeated_answer_does_nothing_twice(world: World, strict: AsyncLetta) -> None:
    """Not after the run that it began has failed either."""
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, f"CALLS {json.dumps(ALL[:2])}")
    answers = [yes(call_id) for call_id in ids_of(request)]
    with pytest.raises(AuthenticationError):
        await answered(strict, agent, answers, {"role": "user", "content": "FAIL 401"})
    ran = list(world.tools.calls)
    again = await answered(strict, agent, answers)
    assert kinds(again.messages) == ["assistant_message"]
    followed = await answered(strict, agent, answers, {"role": "user", "content": "SAY Next."})
    assert [content_of(one) for one in followed.messages] == ["Next."]
    assert world.tools.calls == ran
    users = [one for one in await listed(strict, agent) if one.message_type == "user_message"]
    assert len(users) == 4
    assert json.loads(users[2].content)["type"] == "heartbeat"


@pytest.mark.rule("H25", "H34", "C13")
async def test_a_request_and_its_answer_survive_compaction(
    world: World, strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    for n in range(3):
        await strict.agents.messages.create(agent.id, input=f"SAY {n}")
    request = await asked(strict, agent, "CALL count {}")
    squeeze = {"compaction_settings": {"mode": "all"}}
    path = f"/v1/agents/{agent.id}/summarize"
    assert (await http.post(path, json=squeeze)).status_code == 200
    assert (await waits(strict, agent)).id == request.id
    answers = [yes(ids_of(request)[0])]
    await answered(strict, agent, answers)
    assert (await http.post(path, json=squeeze)).status_code == 200
    assert len((await strict.agents.retrieve(agent.id)).message_ids or ()) == 2
    again = await answered(strict, agent, answers)
    assert kinds(again.messages) == ["assistant_message"]
    assert len(world.tools.calls) == 1


@pytest.mark.rule("FIX-3", "L12", "G-3", "streaming-1.7")
@pytest.mark.parametrize("ending", ["exit_loop", "max_steps"])
async def test_what_comes_with_an_answer_is_always_replied_to(
    world: World, strict: AsyncLetta, ending: str
) -> None:
    rules = (*CAREFUL, rule("count", "exit_loop")) if ending == "exit_loop" else CAREFUL
    agent = await world.agent(tool_rules=rules)
    request = await asked(strict, agent, "CALL count {}")
    items: Any = [
        {"type": "approval", "approvals": [yes(ids_of(request)[0])]},
        {"role": "user", "content": "Wait."},
        {"role": "user", "content": "SAY Waiting."},
    ]
    steps: Any = {"max_steps": 1} if ending == "max_steps" else {}
    create: Any = strict.agents.messages.create
    answer = await create(agent.id, messages=items, **steps)
    assert kinds(answer.messages) == ["tool_return_message", "assistant_message"]
    assert content_of(answer.messages[1]) == "Waiting."
    sent = [one["role"] for one in json.loads(world.model.requests[-1])["messages"]]
    assert sent == ["system", "user", "assistant", "tool", "user", "user"]
    assert await faults(world.db) == []


@pytest.mark.rule("L50", "L47")
async def test_acting_on_answers_is_a_step(world: World, strict: AsyncLetta) -> None:
    for ending, rules in (("max_steps", ()), ("tool_rule", (rule("count", "exit_loop"),))):
        agent = await world.agent(tool_rules=(*CAREFUL, *rules))
        request = await asked(strict, agent, "CALL count {}")
        items: Any = [{"type": "approval", "approvals": [yes(ids_of(request)[0])]}]
        answer: Any = await strict.agents.messages.create(agent.id, messages=items, max_steps=1)
        assert kinds(answer.messages) == ["tool_return_message"]
        assert answer.stop_reason.stop_reason == ending
    assert await faults(world.db) == []


@pytest.mark.rule("H28", "H29", "H30", "G-11", "api-8.10", "streaming-4.7", "streaming-4.2")
@pytest.mark.parametrize("named", [True, False])
async def test_a_waiting_run_can_be_cancelled(
    world: World, strict: AsyncLetta, *, named: bool
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, f"CALLS {json.dumps(ALL[:2])}")
    chosen: Any = {"run_ids": [request.run_id]} if named else {}
    done = await strict.agents.messages.cancel(agent.id, **chosen)
    assert done == {request.run_id: "cancelled"}
    run = await strict.runs.retrieve(request.run_id)
    assert (run.status, run.stop_reason) == ("cancelled", "cancelled")
    response, returned = (await listed(strict, agent))[-2:]
    assert (response.message_type, response.approve) == ("approval_response_message", False)
    assert [one.status for one in returned.tool_returns] == ["error", "error"]
    assert all("cancelled" in one.tool_return for one in returned.tool_returns)
    assert {response.step_id, returned.step_id} == {request.step_id}
    assert await waits(strict, agent) is None
    if named:
        assert await strict.agents.messages.cancel(agent.id, **chosen) == done
    else:
        with pytest.raises(ConflictError, match="NO_ACTIVE_RUNS_TO_CANCEL"):
            await strict.agents.messages.cancel(agent.id)
    again = await answered(strict, agent, [yes(ids_of(request)[0])])
    assert kinds(again.messages) == ["assistant_message"]
    answer = await strict.agents.messages.create(agent.id, input="SAY Fine.")
    assert content_of(answer.messages[0]) == "Fine."
    assert world.tools.calls == []
    assert await faults(world.db) == []


@pytest.mark.rule("H29", "api-8.10")
async def test_a_request_that_was_answered_is_not_cancelled(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, "CALL count {}")
    await answered(strict, agent, [yes(ids_of(request)[0])])
    done = await strict.agents.messages.cancel(agent.id, run_ids=[request.run_id])
    assert done == {request.run_id: "completed"}
    assert (await strict.runs.retrieve(request.run_id)).status == "completed"


@pytest.mark.rule("G-14")
@pytest.mark.parametrize("how", ["approve", "deny", "cancel"])
@pytest.mark.parametrize("whose", ["server", "client"])
async def test_a_tool_that_is_gone_blocks_nobody(
    world: World, strict: AsyncLetta, whose: str, how: str
) -> None:
    """A client's tool goes by not being sent again; only a return of it can stand for a yes."""
    agent = await world.agent(tool_rules=CAREFUL)
    own: Any = [{"name": "ask"}] if whose == "client" else None
    name = "ask" if own else "count"
    request = await asked(strict, agent, f"CALL {name} {{}}", client_tools=own)
    world.tools.gone.add(name)
    (call_id,) = ids_of(request)
    if how == "cancel":
        await strict.agents.messages.cancel(agent.id)
    else:
        consent = given(call_id, "so") if own else yes(call_id)
        entry = consent if how == "approve" else yes(call_id, approve=False)
        answer = await answered(strict, agent, [entry])
        assert kinds(answer.messages) == ["tool_return_message", "assistant_message"]
        assert answer.messages[0].status == ("success" if own and how == "approve" else "error")
    after = await strict.agents.messages.create(agent.id, input="SAY and on")
    assert (after.stop_reason.stop_reason, kinds(after.messages)) == (
        "end_turn",
        ["assistant_message"],
    )
    assert world.tools.calls == []
    assert await faults(world.db) == []


@pytest.mark.rule("H17", "L9", "H3")
async def test_an_agent_without_memory_of_its_turns_acts_on_answers(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent(tool_rules=CAREFUL, message_buffer_autoclear=True)
    await strict.agents.messages.create(agent.id, input="SAY Old.")
    request = await asked(strict, agent, 'CALL count {"n": 1}')
    answers = [yes(ids_of(request)[0])]
    first = await answered(strict, agent, answers)
    again = await answered(strict, agent, answers)
    assert kinds(first.messages) == ["tool_return_message", "assistant_message"]
    assert kinds(again.messages) == ["assistant_message"]
    assert world.tools.calls == [("count", {"n": 1})]


@pytest.mark.rule("G-5", "H24")
async def test_an_answer_with_the_same_otid_is_the_same_request(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, "CALL count {}")
    items: Any = [{"type": "approval", "approvals": [yes(ids_of(request)[0])], "otid": new("run")}]
    first, second = [
        await strict.agents.messages.create(agent.id, messages=items) for _ in range(2)
    ]
    assert first == second
    assert is_id("run", first.messages[0].run_id or "")
    assert len(world.tools.calls) == 1
