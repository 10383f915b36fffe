"""Messages to a group: its agents answer in turns."""

import json

import pytest
from letta_client.types import AgentState

from eunoe.domain.messages import Json
from eunoe.runs.followups import FollowUps
from tests.multi.conftest import Served, call, eventually
from tests.multi.test_groups import BROADCAST, grouped, team

pytestmark = pytest.mark.anyio

# The scripted model's one answer has the word "Here" in it, and no other name of these.
NAMED = "Here"


async def said(served: Served, agent: AgentState) -> list[Json]:
    """Return what an agent has in its window past the prompt, the oldest first."""
    return (await served.got(f"/v1/agents/{agent.id}/messages", limit=100))[1:]


def kinds(listed: list[Json]) -> list[str]:
    return [one["message_type"].removesuffix("_message") for one in listed]


@pytest.mark.rule("G3", "G4", "G5", "FIX-64", "streaming-1.9")
async def test_everybody_speaks_and_hears_what_the_others_said(served: Served) -> None:
    ann, bob, amy = await team(served, "Ann", "Bob", "Amy")
    made = await grouped(served, ann, bob, amy)
    path = f"/v1/groups/{made['id']}/messages"
    reply = await served.posted(path, input="SAY first")
    assert kinds(reply["messages"]) == ["assistant"] * 3
    assert reply["messages"][0]["content"] == "first"
    assert (reply["usage"]["step_count"], reply["usage"]["run_ids"]) == (3, None)
    assert reply["stop_reason"]["stop_reason"] == "end_turn"
    assert kinds(await said(served, ann)) == ["user", "assistant"]
    assert kinds(await said(served, bob)) == ["user", "system", "assistant"]
    heard = await said(served, amy)
    assert kinds(heard) == ["user", "system", "system", "assistant"]
    assert heard[0]["content"] == "SAY first"
    assert heard[1]["content"] == "Ann: first"
    assert [one["sender_id"] for one in heard[1:3]] == [ann.id, bob.id]
    assert [one["name"] for one in heard[1:3]] == ["Ann", "Bob"]
    listed = await served.got(path, limit=100)
    assert len(listed) == 2 + 3 + 4
    await served.posted(path, input="SAY second")
    assert kinds(await said(served, ann))[2:] == ["system", "system", "user", "assistant"]
    assert kinds(await said(served, bob))[3:] == ["system", "user", "system", "assistant"]


@pytest.mark.rule("G5", "G7", "FIX-64")
async def test_a_manager_names_who_speaks(served: Served) -> None:
    lead, bob, named = await team(served, "Lead", "Bob", NAMED)
    config = {"manager_type": "dynamic", "manager_agent_id": lead.id, "max_turns": 3}
    made = await grouped(served, bob, named, manager_config=config)
    path = f"/v1/groups/{made['id']}/messages"
    reply = await served.posted(path, input="Hello.")
    assert kinds(reply["messages"]) == ["assistant"] * 3
    assert reply["usage"]["step_count"] == 6
    assert kinds(await said(served, named)) == ["user", "assistant", "system", "assistant"]
    assert kinds(await said(served, bob)) == ["user", "system", "assistant"]
    asked = [one for one in await said(served, lead) if one["message_type"] == "system_message"]
    questions = [one["content"] for one in asked if "who speaks next" in one["content"]]
    assert [NAMED in one for one in questions] == [True, False, True]
    ending = {"manager_type": "dynamic", "termination_token": "whatever"}
    change = {"manager_config": ending}
    assert (await served.http.patch(f"/v1/groups/{made['id']}", json=change)).status_code == 200
    reply = await served.posted(path, input="Hello.")
    assert reply["messages"] == []


@pytest.mark.rule("G3", "G8")
async def test_a_supervisor_answers_for_its_group(served: Served) -> None:
    lead = await served.agent(tools=[BROADCAST])
    (bob,) = await team(served, "Bob")
    config = {"manager_type": "supervisor", "manager_agent_id": lead.id}
    made = await grouped(served, bob, manager_config=config)
    path = f"/v1/groups/{made['id']}/messages"
    reply = await served.posted(path, input=call(BROADCAST, message="SAY present"))
    assert kinds(reply["messages"]) == ["tool_call", "tool_return", "assistant"]
    returned = json.loads(reply["messages"][1]["tool_return"])
    assert returned == [{"agent_id": bob.id, "response": ["present"]}]
    assert kinds(await served.got(path)) == ["user", "tool_call", "tool_return", "assistant"]


@pytest.mark.rule("streaming-2.15", "FIX-64", "G-4")
@pytest.mark.parametrize("rest", ["", "/stream"])
async def test_a_round_is_one_stream(served: Served, rest: str) -> None:
    made = await grouped(served, *await team(served, "Ann", "Bob"))
    body = {"input": "SAY first", "streaming": True, "stream_tokens": True}
    reply = await served.http.post(f"/v1/groups/{made['id']}/messages{rest}", json=body)
    frames = [line[6:] for line in reply.text.splitlines() if line.startswith("data: ")]
    assert frames[-1] == "[DONE]"
    bodies: list[Json] = [json.loads(one) for one in frames[:-1]]
    assert [one["message_type"] for one in bodies[-2:]] == ["stop_reason", "usage_statistics"]
    spoken = [one for one in bodies if one["message_type"] == "assistant_message"]
    assert len({one["id"] for one in spoken}) == 2
    places = [one["seq_id"] for one in bodies if one.get("seq_id")]
    assert places == sorted(places)
    url = f"/v1/runs/{reply.headers['x-letta-run-id']}/stream"
    at = next(n for n, one in enumerate(bodies) if one.get("seq_id") == places[1])
    again = await served.http.post(url, json={"starting_after": places[1]})
    assert [line[6:] for line in again.text.split("\n") if line] == frames[at + 1 :]


@pytest.mark.rule("G-9", "FIX-64")
async def test_a_round_goes_on_after_a_restart(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await team(served, "Ann", "Bob")
    made = await grouped(served, ann, bob)

    async def nothing(_: FollowUps, run_ids: object) -> None:
        return

    with monkeypatch.context() as patched:
        # As if the process had ended right after the first turn.
        patched.setattr(FollowUps, "begin", nothing)
        await served.http.post(f"/v1/groups/{made['id']}/messages", json={"input": "SAY first"})
    runner = served.runtime.runner
    await runner.stop()
    await runner.start()

    async def begun() -> bool:
        return bool((await served.letta.runs.list(agent_id=bob.id)).items)

    await eventually(begun)
    (run,) = (await served.letta.runs.list(agent_id=bob.id)).items
    assert (await served.ended(run.id)).status == "completed"
    assert kinds(await said(served, bob)) == ["user", "system", "assistant"]


@pytest.mark.rule("H22", "G-14", "streaming-1.9")
async def test_a_member_that_waits_for_an_answer_speaks_when_it_has_it(served: Served) -> None:
    (ann,) = await team(served, "Ann")
    careful: Json = {"type": "requires_approval", "tool_name": "conversation_search"}
    bob = await served.agent(name="Bob", tool_rules=[careful])
    made = await grouped(served, ann, bob)
    asked = await served.say(bob.id, call("conversation_search", query="tea"))
    assert asked.stop_reason.stop_reason == "requires_approval"
    reply = await served.posted(f"/v1/groups/{made['id']}/messages", input="SAY first")
    assert kinds(reply["messages"]) == ["assistant"]
    (waits,) = reply["usage"]["run_ids"]
    window = await said(served, bob)
    assert kinds(window) == ["user", "approval_request"]
    call_id = window[-1]["tool_calls"][0]["tool_call_id"]
    allowed: Json = {"type": "approval", "tool_call_id": call_id, "approve": True}
    answer: Json = {"type": "approval", "approvals": [allowed]}
    path = f"/v1/agents/{bob.id}/messages"
    assert (await served.posted(path, messages=[answer]))["stop_reason"][
        "stop_reason"
    ] == "end_turn"

    async def spoke() -> bool:
        return (await served.got(f"/v1/runs/{waits}"))["status"] == "completed"

    await eventually(spoke)
    assert kinds(await said(served, bob))[-3:] == ["user", "system", "assistant"]


@pytest.mark.rule("H22", "streaming-1.9")
async def test_a_round_stops_for_an_approval_and_goes_on_with_it(served: Served) -> None:
    careful: Json = {"type": "requires_approval", "tool_name": "conversation_search"}
    ann = await served.agent(name="Ann", tool_rules=[careful])
    (bob,) = await team(served, "Bob")
    path = f"/v1/groups/{(await grouped(served, ann, bob))['id']}/messages"
    asked = await served.posted(path, input=call("conversation_search", query="tea"))
    assert kinds(asked["messages"]) == ["approval_request"]
    assert asked["stop_reason"]["stop_reason"] == "requires_approval"
    request = asked["messages"][0]
    assert (await served.got(f"/v1/runs/{request['run_id']}"))["agent_id"] == ann.id
    assert await said(served, bob) == []
    refused = await served.http.post(path, json={"input": "SAY second"})
    assert (refused.status_code, refused.json()["detail"]["code"]) == (409, "PENDING_APPROVAL")
    call_id = request["tool_call"]["tool_call_id"]
    allowed: Json = {"type": "approval", "tool_call_id": call_id, "approve": True}
    answered = await served.posted(path, messages=[{"type": "approval", "approvals": [allowed]}])
    assert kinds(answered["messages"])[:2] == ["tool_return", "assistant"]
    assert answered["stop_reason"]["stop_reason"] == "end_turn"
    assert (await said(served, bob))[1]["name"] == "Ann"
