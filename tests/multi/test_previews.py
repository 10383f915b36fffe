"""What a model would be asked, and a question to it alone: nothing is stored (streaming 1.1)."""

from typing import Any

import orjson
import pytest

from eunoe.domain.messages import Json
from tests.multi.conftest import Served

pytestmark = pytest.mark.anyio


async def traces(served: Served, agent_id: str) -> list[Any]:
    """Return what there is of an agent that a request could leave something in."""
    return [
        await served.got(f"/v1/agents/{agent_id}/messages"),
        await served.got("/v1/runs/", agent_id=agent_id),
        await served.got(f"/v1/agents/{agent_id}"),
    ]


def sent(served: Served) -> Json:
    """Return what the provider was asked last."""
    body: Json = orjson.loads(served.model.requests[-1])
    return body


@pytest.mark.rule("streaming-1.1", "api-6.80")
@pytest.mark.parametrize("kind", ["letta_v1_agent", "memgpt_agent"])
@pytest.mark.parametrize("stream_tokens", [False, True])
async def test_a_preview_is_the_next_request(
    served: Served, kind: str, *, stream_tokens: bool
) -> None:
    agent = await served.agent(agent_type=kind, memory_blocks=[{"label": "human", "value": "Bob"}])
    await served.say(agent.id, "SAY One.")
    # The prompt is out of date: it is to be built anew, and to be stored only by a real turn.
    await served.letta.agents.blocks.update("human", agent_id=agent.id, value="Rob")
    await served.letta.agents.update(agent.id, system="You are new.")
    before, asked = await traces(served, agent.id), len(served.model.requests)
    body = {"input": "SAY Two.", "stream_tokens": stream_tokens, "streaming": True}
    preview = await served.posted(f"/v1/agents/{agent.id}/messages/preview-raw-payload", **body)
    assert await traces(served, agent.id) == before
    assert len(served.model.requests) == asked
    reply = await served.http.post(f"/v1/agents/{agent.id}/messages", json=body)
    assert reply.status_code == 200
    assert undated(preview) == undated(sent(served))
    assert "You are new." in str(preview)


def undated(body: Json) -> Json:
    """Return a request without the time of its prompt, which goes on between two of them."""
    told = body["messages"][0]
    lines = [line for line in told["content"].splitlines() if "last recompiled" not in line]
    return {**body, "messages": [{**told, "content": lines}, *body["messages"][1:]]}


@pytest.mark.rule("streaming-1.1", "streaming-6.1", "G-26")
async def test_a_preview_in_a_conversation(served: Served) -> None:
    agent = await served.agent()
    talk = await served.letta.conversations.create(agent_id=agent.id)
    path = f"/v1/conversations/{talk.id}/messages/preview-raw-payload"
    preview = await served.posted(
        path, input="Hi.", override_system="Be brief.", stream_tokens=True
    )
    assert preview["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
    ]
    answers = [{"type": "approval", "approve": True, "approval_request_id": "message-1"}]
    refused = await served.http.post(path, json={"messages": answers})
    assert refused.status_code == 400
    unknown = "agent-00000000-0000-4000-8000-000000000000"
    missing = await served.http.post(
        f"/v1/agents/{unknown}/messages/preview-raw-payload", json={"input": "Hi."}
    )
    assert missing.status_code == 404


@pytest.mark.rule("streaming-1.1", "api-6.80")
async def test_a_question_to_the_model_alone(served: Served) -> None:
    agent = await served.agent()
    before = await traces(served, agent.id)
    path = f"/v1/agents/{agent.id}/generate"
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    answer = await served.posted(path, prompt="SAY Four.", system_prompt="Count.")
    assert (answer["content"], answer["model"]) == ("Four.", "scripted-1")
    assert answer["usage"]["message_type"] == "usage_statistics"
    assert answer["usage"]["total_tokens"] > 0
    assert sent(served)["messages"] == [
        {"role": "system", "content": "Count."},
        {"role": "user", "content": "SAY Four."},
    ]
    assert "tools" not in sent(served)
    other = await served.posted(
        path, prompt="SAY Five.", override_model="openai/gpt-4.1", response_schema=schema
    )
    assert other["model"] == sent(served)["model"] == "gpt-4.1"
    assert (
        sent(served)["response_format"]["json_schema"]["schema"]["properties"]
        == schema["properties"]
    )
    assert await traces(served, agent.id) == before


@pytest.mark.rule("streaming-1.1", "api-6.80")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prompt": "  "}, 422),
        ({}, 422),
        ({"prompt": "Hi.", "override_model": "openai/nothing-of-that"}, 404),
        ({"prompt": "Hi.", "override_model": "nobody/x"}, 404),
        ({"prompt": "FAIL 401"}, 502),
        ({"prompt": "FAIL 429"}, 502),
    ],
)
async def test_a_question_that_cannot_be_asked(served: Served, body: Json, status: int) -> None:
    agent = await served.agent()
    reply = await served.http.post(f"/v1/agents/{agent.id}/generate", json=body)
    assert reply.status_code == status, reply.text


@pytest.mark.rule("L20", "L21", "G-26")
async def test_skills_are_told_of_in_one_request(served: Served) -> None:
    blocks = [{"label": "skills/tea", "value": "Boil water.", "description": "How to make tea."}]
    agent = await served.agent(memory_blocks=blocks)
    skill: Any = {"name": "sail", "description": "How to sail.", "location": "/s/sail/SKILL.md"}
    await served.letta.agents.messages.create(agent.id, input="Hi.", client_skills=[skill])
    first = sent(served)["messages"][0]["content"]
    assert first.rstrip().endswith("</available_skills>")
    assert "sail (/s/sail/SKILL.md): How to sail." in first
    await served.say(agent.id, "Again.")
    second = sent(served)["messages"][0]["content"]
    assert "tea (skills/tea): How to make tea." in second
    assert "sail" not in second
    (system, *_) = await served.got(f"/v1/agents/{agent.id}/messages", order="asc")
    assert "available_skills" not in system["content"]
    more: Any = {"override_system": "Be brief."}
    await served.letta.agents.messages.create(agent.id, input="Hi.", client_skills=[skill], **more)
    assert sent(served)["messages"][0]["content"] == "Be brief."
