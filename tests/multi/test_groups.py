"""Groups of agents: kept, changed, emptied; the blocks they share; who leads asks them all."""

import json
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError
from letta_client.types import AgentState

from eunoe.domain.messages import Json
from eunoe.ids import new
from tests.multi.conftest import Served, call

pytestmark = pytest.mark.anyio

BROADCAST = "send_message_to_all_agents_in_group"


async def team(served: Served, *names: str) -> list[AgentState]:
    return [await served.agent(name=name) for name in names]


async def grouped(served: Served, *members: AgentState, **body: object) -> Json:
    agent_ids = [one.id for one in members]
    return await served.posted("/v1/groups/", agent_ids=agent_ids, description="A team.", **body)


async def refused(served: Served, **body: Any) -> int:
    reply = await served.http.post("/v1/groups/", json={"description": "", **body})
    return reply.status_code


@pytest.mark.rule("G1", "G2", "api-21.10", "api-21.11", "api-21.12")
async def test_a_group_is_kept_as_it_was_made(served: Served) -> None:
    lead, bob, amy = await team(served, "Lead", "Bob", "Amy")
    config = {"manager_type": "dynamic", "manager_agent_id": lead.id, "max_turns": 3}
    made = await grouped(served, bob, amy, manager_config=config)
    assert made["agent_ids"] == [bob.id, amy.id]
    assert (made["termination_token"], made["max_turns"]) == ("DONE!", 3)
    assert await served.got(f"/v1/groups/{made['id']}") == made
    managed = await served.letta.agents.retrieve(lead.id, include=["agent.managed_group"])
    assert managed.managed_group is not None
    assert managed.managed_group.id == made["id"]
    round_robin = await grouped(served, amy)
    assert round_robin["manager_type"] == "round_robin"
    assert await served.got("/v1/groups/") == [made, round_robin]
    assert await served.got("/v1/groups/", manager_type="dynamic") == [made]
    assert await served.got("/v1/groups/", after=made["id"]) == [round_robin]
    assert await served.got("/v1/groups/count") == 2
    assert await served.got(f"/v1/agents/{amy.id}/groups") == [round_robin, made]
    assert await served.got(f"/v1/agents/{lead.id}/groups") == []


@pytest.mark.rule("api-21.10", "api-21.11")
async def test_what_makes_no_group_is_refused(served: Served) -> None:
    lead, bob, other_bob = await team(served, "Lead", "Bob", "Bob")
    dynamic = {"manager_type": "dynamic", "manager_agent_id": lead.id}
    voice = {"manager_type": "voice_sleeptime", "manager_agent_id": lead.id}
    assert await refused(served, agent_ids=[new("agent")]) == 404
    assert await refused(served, agent_ids=[bob.id, bob.id]) == 404
    assert await refused(served, agent_ids=[bob.id, bob.id], manager_config=dynamic) == 400
    assert await refused(served, agent_ids=[bob.id, other_bob.id], manager_config=dynamic) == 400
    assert await refused(served, agent_ids=[bob.id], shared_block_ids=[new("block")]) == 404
    for config, status in (
        ({"manager_type": "swarm"}, 422),
        ({"manager_type": "supervisor"}, 422),
        ({**voice, "max_message_buffer_length": 9}, 400),
        ({**voice, "max_message_buffer_length": 9, "min_message_buffer_length": 4}, 400),
        ({**voice, "max_message_buffer_length": 2**70, "min_message_buffer_length": 5}, 422),
    ):
        assert await refused(served, agent_ids=[bob.id], manager_config=config) == status
    assert await served.got("/v1/groups/count") == 0


@pytest.mark.rule("api-21.11", "api-21.13", "api-6.45")
async def test_a_group_is_changed_and_removed(served: Served) -> None:
    lead, bob, amy = await team(served, "Lead", "Bob", "Amy")
    config = {"manager_type": "sleeptime", "manager_agent_id": lead.id}
    made = await grouped(served, bob, manager_config=config)
    path = f"/v1/groups/{made['id']}"
    change: Json = {"agent_ids": [amy.id, bob.id], "description": "Two."}
    change["manager_config"] = {"manager_type": "sleeptime", "sleeptime_agent_frequency": 2}
    reply = await served.http.patch(path, json=change)
    expected = {"agent_ids": [amy.id, bob.id], "description": "Two."}
    assert reply.json() == {**made, **expected, "sleeptime_agent_frequency": 2}
    reply = await served.http.patch(path, json={"manager_config": {"manager_type": "round_robin"}})
    assert reply.status_code == 400
    assert (await served.http.delete(path)).status_code == 200
    assert (await served.http.get(path)).status_code == 404
    assert (await served.letta.agents.retrieve(bob.id)).id == bob.id
    await grouped(served, bob, manager_config={**config, "manager_type": "supervisor"})
    with pytest.raises(APIStatusError) as error:
        await served.letta.agents.delete(lead.id)
    assert error.value.status_code == 409
    await served.letta.agents.delete(bob.id)
    (left,) = await served.got("/v1/groups/")
    assert left["agent_ids"] == []


@pytest.mark.rule("api-2.2", "api-21.12")
async def test_blocks_of_a_group_are_everybodys(served: Served) -> None:
    lead, bob = await team(served, "Lead", "Bob")
    plan, notes = [await served.letta.blocks.create(label=n, value="") for n in ("plan", "notes")]
    config = {"manager_type": "supervisor", "manager_agent_id": lead.id}
    made = await grouped(served, bob, manager_config=config, shared_block_ids=[plan.id])
    path = f"/v1/groups/{made['id']}"

    async def shared() -> list[list[str]]:
        held = [await served.letta.agents.blocks.list(one.id, order="asc") for one in (lead, bob)]
        return [[block.label or "" for block in blocks.items] for blocks in held]

    assert await shared() == [["plan"], ["plan"]]
    reply = await served.http.patch(f"{path}/blocks/attach/{notes.id}")
    assert (reply.status_code, reply.json()) == (200, None)
    assert (await served.got(path))["shared_block_ids"] == [plan.id, notes.id]
    assert await shared() == [["plan", "notes"]] * 2
    await served.http.patch(f"{path}/blocks/detach/{plan.id}")
    assert await shared() == [["notes"]] * 2
    assert (await served.http.patch(f"{path}/blocks/attach/{new('block')}")).status_code == 404
    assert (await served.http.patch(f"{path}/blocks/attach/block-1")).status_code == 400
    assert (await served.http.patch(f"{path}/blocks/detach/block-1")).status_code == 400
    changed = await served.http.patch(path, json={"shared_block_ids": [plan.id]})
    assert changed.json()["shared_block_ids"] == [plan.id]
    assert await shared() == [["plan"]] * 2


@pytest.mark.rule("G3", "api-21.13", "api-21.15", "api-5.8")
async def test_what_is_said_in_a_group_is_listed_and_deleted(served: Served) -> None:
    (bob,) = await team(served, "Bob")
    made = await grouped(served, bob)
    path = f"/v1/groups/{made['id']}"
    await served.say(bob.id, "Alone.")
    said: Any = [{"role": "user", "content": "SAY hi", "group_id": made["id"]}]
    await served.letta.agents.messages.create(bob.id, messages=said)
    (listed,) = await served.got(f"{path}/messages")
    assert (listed["content"], listed["message_type"]) == ("SAY hi", "user_message")
    reply = await served.http.patch(f"{path}/messages/{listed['id']}", json={})
    assert reply.status_code == 405
    reply = await served.http.patch(f"{path}/reset-messages")
    assert (reply.status_code, reply.json()) == (200, None)
    assert await served.got(f"{path}/messages") == []
    left = await served.got(f"/v1/agents/{bob.id}/messages")
    assert "SAY hi" not in [one["content"] for one in left]
    assert (await served.say(bob.id, "SAY still here")).messages[0].content == "still here"


@pytest.mark.rule("G8", "X41")
async def test_who_leads_a_group_asks_everybody_in_it(served: Served) -> None:
    lead = await served.agent(include_base_tools=False)
    bob, amy = await team(served, "Bob", "Amy")
    config = {"manager_type": "supervisor", "manager_agent_id": lead.id}
    made = await grouped(served, amy, bob, manager_config=config)
    question = call(BROADCAST, message="SAY present")
    replies: list[Json] = json.loads(await served.told(lead.id, question))
    assert replies == [{"agent_id": one.id, "response": ["present"]} for one in (amy, bob)]
    assert (await served.http.delete(f"/v1/groups/{made['id']}")).status_code == 200
    assert json.loads(await served.told(lead.id, question)) == []


@pytest.mark.rule("api-2.2")
async def test_a_group_that_is_none_is_missing(served: Served) -> None:
    for path, status in ((new("group"), 404), ("group-1", 422)):
        reply: httpx.Response = await served.http.get(f"/v1/groups/{path}")
        assert reply.status_code == status
