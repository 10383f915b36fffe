"""A message to a list at work: refused, next in line, or in the place of what goes on."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Json, Text
from eunoe.domain.runs import Busy, Run, RunOptions
from eunoe.errors import LineFull, ListBusy
from eunoe.runs.line import MOST_WAITING
from eunoe.runs.submit import Submission
from eunoe.store import runs
from tests.http.reading import frames
from tests.runs.conftest import ACTOR, World, running

pytestmark = pytest.mark.anyio

_MANY = 50


async def held(world: World) -> tuple[Agent, Run]:
    """Return an agent that is in the middle of a tool call, and the run that is."""
    agent = await world.agent()
    run = (await world.submit(agent, "CALL wait {}")).run
    await world.tools.entered.wait()
    return agent, run


async def sent(world: World, agent: Agent, text: str, busy: Busy, **changes: Any) -> Run:
    said = (InputMessage(role="user", content=(Text(text=text),), otid=ids.new("message")),)
    submission = Submission(agent_id=agent.id, messages=said, options=RunOptions(), busy=busy)
    return (await world.runner.submit(ACTOR, replace(submission, **changes))).run


async def stored(world: World, run_id: str) -> Run:
    async with world.db.read(ACTOR) as tx:
        found = await runs.get(tx, run_id)
    assert found is not None
    return found


@pytest.mark.rule("streaming-4.9", "G-3", "G-12")
async def test_messages_in_line_are_answered_in_their_order(world: World) -> None:
    agent, first = await held(world)
    waiting = [await sent(world, agent, f"SAY {n}", "queue") for n in range(4)]
    assert {(await stored(world, run.id)).status for run in waiting} == {"created"}
    world.tools.gate.set()
    for run in (first, *waiting):
        assert (await world.runner.fold(ACTOR, run.id)).reason == "end_turn"
    answers = [m.run_id for m in await world.window(agent) if m.role == "user"]
    assert answers == [first.id, *(run.id for run in waiting)]
    ended = [await stored(world, run.id) for run in waiting]
    assert [run.list_id for run in ended] == [agent.id] * 4


@pytest.mark.rule("streaming-4.9", "G-11")
async def test_a_run_in_the_place_of_another(world: World) -> None:
    agent, first = await held(world)
    patient = await sent(world, agent, "SAY patient", "queue")
    urgent = await sent(world, agent, "SAY urgent", "interrupt")
    assert (await world.runner.fold(ACTOR, first.id)).reason == "cancelled"
    assert (await world.runner.fold(ACTOR, urgent.id)).reason == "end_turn"
    assert (await asyncio.wait_for(world.runner.fold(ACTOR, patient.id), 9)).reason == "end_turn"
    said_by = [m.run_id for m in await world.window(agent) if m.role == "user"]
    assert said_by == [first.id, urgent.id, patient.id]


@pytest.mark.rule("streaming-4.9", "G-9")
async def test_who_waits_is_answered_after_a_restart(world: World) -> None:
    agent, first = await held(world)
    waiting = await sent(world, agent, "SAY later", "queue")
    await world.runner.stop()
    world.tools.gate.set()
    async with running(world.successor()) as runner:
        assert (await runner.fold(ACTOR, first.id)).reason == "end_turn"
        assert (await runner.fold(ACTOR, waiting.id)).reason == "end_turn"


@pytest.mark.rule("streaming-4.9", "G-11")
async def test_who_waits_can_be_stopped(world: World) -> None:
    agent, first = await held(world)
    waiting = await sent(world, agent, "SAY nothing", "queue")
    following = asyncio.create_task(world.runner.fold(ACTOR, waiting.id))
    outcome = await world.runner.cancel(ACTOR, run_ids=[waiting.id])
    assert outcome == {waiting.id: "cancelled"}
    assert (await following).reason == "cancelled"
    assert (await stored(world, waiting.id)).status == "cancelled"
    world.tools.gate.set()
    assert (await world.runner.fold(ACTOR, first.id)).reason == "end_turn"
    assert waiting.id not in {m.run_id for m in await world.window(agent)}
    assert (await world.say(agent, "SAY on")).reason == "end_turn"


@pytest.mark.rule("streaming-4.9")
async def test_a_line_has_an_end(world: World) -> None:
    agent, _ = await held(world)
    with pytest.raises(ListBusy):
        await sent(world, agent, "SAY no", "reject")
    for _ in range(MOST_WAITING):
        await sent(world, agent, "SAY me too", "queue")
    with pytest.raises(LineFull):
        await sent(world, agent, "SAY me too", "queue")
    told = await world.runner.cancel(ACTOR, agent_id=agent.id)
    assert list(told.values()) == ["cancelled"] * (MOST_WAITING + 1)


@pytest.mark.rule("streaming-4.9", "G-5", "G-6")
async def test_a_repeat_finds_the_run_that_waits(world: World) -> None:
    agent, _ = await held(world)
    once = await sent(world, agent, "SAY once", "queue", request_hash="h", otids=("mine",))
    again = await sent(world, agent, "SAY once", "queue", request_hash="h", retry_count=1)
    same = await sent(world, agent, "SAY once", "queue", otids=("mine",))
    assert once.id == again.id == same.id


@pytest.mark.rule("streaming-4.9")
@pytest.mark.parametrize("path", ["", "/stream", "/async"])
async def test_a_request_says_what_it_wants(
    world: World, http: httpx.AsyncClient, path: str
) -> None:
    agent, first = await held(world)
    url, body = f"/v1/agents/{agent.id}/messages{path}", {"input": "SAY Well."}
    refused = await http.post(url, json=body)
    assert refused.status_code == 409
    odd = await http.post(url, json=body, headers={"X-Eunoe-Busy": "shout"})
    assert odd.status_code == 400
    answer = await http.post(url, json=body, headers={"X-Eunoe-Busy": "interrupt"})
    assert answer.status_code == 200, answer.text
    if path == "/stream":
        assert frames(answer.content)[-1] == "[DONE]"
    assert (await world.runner.fold(ACTOR, first.id)).reason == "cancelled"


@pytest.mark.rule("streaming-4.9", "G-3", "G-12")
@pytest.mark.parametrize("busy", ["queue", "reject"])
async def test_fifty_at_once_are_all_answered(
    world: World, http: httpx.AsyncClient, busy: Busy
) -> None:
    """Who is refused asks again, when what was in the way has ended."""
    agent = await world.agent()
    url, how = f"/v1/agents/{agent.id}/messages", {"X-Eunoe-Busy": busy}

    async def sent(n: int) -> httpx.Response:
        return await http.post(url, json={"input": f"SAY answer {n}"}, headers=how)

    answers = await asyncio.gather(*map(sent, range(_MANY)))
    for n, refused in enumerate(answers):
        if busy == "reject" and refused.status_code == 409:
            assert refused.headers["x-should-retry"] == "false"
            answers[n] = await sent(n)
    assert {answer.status_code for answer in answers} == {200}
    for n, answer in enumerate(answers):
        assert answer.json()["messages"][0]["content"] == f"answer {n}"
    window = [m for m in await world.window(agent) if m.role in {"user", "assistant"}]
    assert [m.role for m in window] == ["user", "assistant"] * _MANY
    pairs = zip(window[::2], window[1::2], strict=True)
    assert all(said.run_id == answered.run_id for said, answered in pairs)


@pytest.mark.rule("streaming-4.9", "G-3", "G-14")
async def test_who_waits_lets_an_approval_go_first(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    url = f"/v1/agents/{agent.id}/messages"
    tool: Json = {"name": "ask", "parameters": {}}
    calls = '[{"name": "wait", "arguments": {}}, {"name": "ask", "arguments": {}}]'
    body: Json = {"input": f"CALLS {calls}", "client_tools": [tool]}
    blocked = (await world.submit(agent, "CALL wait {}")).run
    await world.tools.entered.wait()
    asking = await http.post(f"{url}/async", json=body, headers={"X-Eunoe-Busy": "queue"})
    patient = await sent(world, agent, "SAY at last", "queue")
    world.tools.gate.set()
    assert (await world.runner.fold(ACTOR, blocked.id)).reason == "end_turn"
    run_id = asking.json()["id"]
    assert (
        await asyncio.wait_for(world.runner.fold(ACTOR, run_id), 9)
    ).reason == "requires_approval"
    assert (await stored(world, patient.id)).waits
    refused = await http.post(url, json={"input": "Hello."}, headers={"X-Eunoe-Busy": "queue"})
    assert refused.status_code == 409
    assert refused.json()["detail"]["code"] == "PENDING_APPROVAL"
    assert await world.runner.cancel(ACTOR, run_ids=[run_id]) == {run_id: "cancelled"}
    assert (await asyncio.wait_for(world.runner.fold(ACTOR, patient.id), 9)).reason == "end_turn"
