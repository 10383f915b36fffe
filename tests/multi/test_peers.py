"""Agents that write to each other by tool."""

import asyncio
import json

import pytest
from letta_client.types import AgentState

from eunoe.domain.messages import Json
from tests.multi.conftest import Served, call, eventually

pytestmark = pytest.mark.anyio

ASK = "send_message_to_agent_and_wait_for_reply"
TELL = "send_message_to_agent_async"
ASK_TAGGED = "send_message_to_agents_matching_tags"


async def speaker(served: Served, **fields: object) -> AgentState:
    return await served.agent(extra_body={"include_multi_agent_tools": True}, **fields)


def asking(other: AgentState, text: str) -> str:
    return call(ASK, message=text, other_agent_id=other.id)


async def said(served: Served, agent: AgentState) -> list[Json]:
    """Return what an agent has in its window past the prompt, the oldest first."""
    return (await served.got(f"/v1/agents/{agent.id}/messages", limit=100))[1:]


@pytest.mark.rule("X41", "X42", "FIX-65", "A5")
async def test_an_agent_asks_another_and_gets_what_it_answers(served: Served) -> None:
    ann = await speaker(served, name="Ann", include_base_tools=False)
    bob = await served.agent(name="Bob")
    output = await served.told(ann.id, asking(bob, "SAY Tea At Noon"))
    assert json.loads(output) == {"agent_id": bob.id, "response": ["Tea At Noon"]}
    (heard, answered) = await said(served, bob)
    assert (heard["message_type"], heard["sender_id"]) == ("system_message", ann.id)
    notice, _, text = heard["content"].partition("\n\n")
    assert ann.id in notice
    assert text == "SAY Tea At Noon"
    assert answered["content"] == "Tea At Noon"
    (run,) = (await served.letta.runs.list(agent_id=bob.id)).items
    assert run.status == "completed"


@pytest.mark.rule("X41", "FIX-65")
async def test_tags_choose_who_is_asked_and_a_failure_stands_in_its_place(served: Served) -> None:
    ann = await speaker(served, tags=["team", "red"])
    red = await served.agent(tags=["team", "red"])
    blue = await served.agent(tags=["team", "blue"])
    broken = await served.agent(tags=["team", "blue"], model="openai/gpt-4.1")
    await served.agent(tags=["team"])
    await served.agent(tags=["red", "blue"])
    await served.posted_to_model(fault={"how": "fail", "match": "gpt-4.1", "status": 401})
    output = await served.told(
        ann.id, call(ASK_TAGGED, message="SAY here", match_all=["team"], match_some=["red", "blue"])
    )
    replies: dict[str, list[str]] = {one["agent_id"]: one["response"] for one in json.loads(output)}
    assert list(replies) == [red.id, blue.id, broken.id]
    assert replies[red.id] == replies[blue.id] == ["here"]
    assert replies[broken.id][0].startswith("<error: ")
    none = call(ASK_TAGGED, message="hello", match_all=[], match_some=[])
    assert "match_all" in await served.told(ann.id, none)


@pytest.mark.rule("X41", "FIX-65")
async def test_an_agent_is_told_something_without_waiting(served: Served) -> None:
    ann, bob = await speaker(served), await served.agent()
    output = await served.told(ann.id, call(TELL, message="SAY noted", other_agent_id=bob.id))
    assert "noted" not in output

    async def answered() -> bool:
        runs = (await served.letta.runs.list(agent_id=bob.id)).items
        return [run.status for run in runs] == ["completed"]

    await eventually(answered)
    (run,) = (await served.letta.runs.list(agent_id=bob.id)).items
    assert run.background is True
    assert [one["content"] for one in await said(served, bob)][-1] == "noted"


@pytest.mark.rule("FIX-65")
@pytest.mark.parametrize("links", [1, 2])
async def test_agents_that_would_wait_for_each_other_are_told_so(
    served: Served, links: int
) -> None:
    ann = await speaker(served, name="Ann")
    others = [await speaker(served, name=f"Other {n}") for n in range(links)]
    text = asking(ann, "hello")
    for other in reversed(others):
        text = asking(other, text)
    await asyncio.wait_for(served.say(ann.id, text), 30)
    refused = (await said(served, others[-1]))[-2]
    assert refused["status"] == "error"
    assert "waiting for this answer" in refused["tool_return"]
    assert "waiting for this answer" in await served.told(ann.id, asking(ann, "hello"))


@pytest.mark.rule("FIX-65", "G-12")
async def test_an_agent_that_is_busy_is_not_waited_for_but_can_be_told(served: Served) -> None:
    ann, bob = await speaker(served), await served.agent()
    busy = await served.letta.agents.messages.create_async(bob.id, input="SLOW 5000 hello")
    output = await served.told(ann.id, asking(bob, "hello"))
    assert "busy" in output
    later = call(TELL, message="SAY later", other_agent_id=bob.id)
    assert "delivered" in await served.told(ann.id, later)
    await served.letta.agents.messages.cancel(bob.id, run_ids=[busy.id])

    async def read() -> bool:
        return (await said(served, bob))[-1]["content"] == "later"

    await eventually(read)


@pytest.mark.rule("FIX-65")
async def test_a_matter_is_passed_on_only_so_often(served: Served) -> None:
    chain = [await speaker(served) for _ in range(10)]
    text = "SAY done"
    for other in reversed(chain[1:]):
        text = call(TELL, message=text, other_agent_id=other.id)
    await served.say(chain[0].id, text)

    async def stopped() -> bool:
        return len(await said(served, chain[8])) == 4

    await eventually(stopped)
    refused = (await said(served, chain[8]))[2]
    assert "passed this on" in refused["tool_return"]
    assert await said(served, chain[9]) == []


@pytest.mark.rule("FIX-65")
async def test_an_agent_that_is_gone_is_an_error_of_the_call(served: Served) -> None:
    ann, bob = await speaker(served), await served.agent()
    await served.letta.agents.delete(bob.id)
    reply = await served.say(ann.id, asking(bob, "hello"))
    assert reply.stop_reason.stop_reason == "end_turn"
    assert bob.id in await served.told(ann.id, asking(bob, "hello"))


@pytest.mark.rule("FIX-65", "G-11")
async def test_cancelling_who_waits_cancels_who_is_waited_for(served: Served) -> None:
    ann, bob = await speaker(served), await speaker(served)
    carl = await served.agent(model="openai/gpt-4.1")
    await served.posted_to_model(fault={"how": "hang", "match": "gpt-4.1"})
    text = asking(bob, asking(carl, "hello"))
    run = await served.letta.agents.messages.create_async(ann.id, input=text)

    async def waiting() -> bool:
        found = (await served.letta.runs.list(agent_id=carl.id)).items
        return [one.status for one in found] == ["running"]

    await eventually(waiting)
    await served.letta.agents.messages.cancel(ann.id, run_ids=[run.id])
    for agent in (ann, bob, carl):

        async def over(agent_id: str = agent.id) -> bool:
            found = (await served.letta.runs.list(agent_id=agent_id)).items
            return [one.status for one in found] == ["cancelled"]

        await eventually(over)


@pytest.mark.rule("X42", "FIX-65", "H22")
async def test_who_waits_for_a_person_gives_no_answer_and_that_is_said(served: Served) -> None:
    ann = await speaker(served, name="Ann")
    careful: Json = {"type": "requires_approval", "tool_name": "conversation_search"}
    bob = await served.agent(name="Bob", tool_rules=[careful])
    asked = asking(bob, call("conversation_search", query="tea"))
    assert "requires_approval" in await served.told(ann.id, asked)
    assert "approve or deny" in await served.told(ann.id, asking(bob, "SAY hi"))
    assert [one["message_type"] for one in await said(served, bob)][
        -1
    ] == "approval_request_message"
