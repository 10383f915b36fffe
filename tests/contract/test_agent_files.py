"""Agent files through the official clients: written, brought back, and talked to again (api 7)."""

import json

import pytest
from letta_client import APIStatusError, Letta
from letta_client.types import AgentState

from tests.contract.conftest import MODEL, MakeAgent


def said(client: Letta, agent_id: str, text: str) -> str:
    reply = client.agents.messages.create(agent_id, input=text)
    return " ".join(
        str(one.content) for one in reply.messages if one.message_type == "assistant_message"
    )


@pytest.mark.rule("api-7.1", "api-7.2", "api-1.8")
def test_an_agent_goes_out_and_comes_in_and_goes_on(client: Letta, agent: AgentState) -> None:
    said(client, agent.id, 'CALL memory_insert {"label": "human", "new_string": "Likes tea"}')
    said(client, agent.id, "SAY the sea is green")
    file = client.agents.export_file(agent.id)
    assert isinstance(file, str)
    made = client.agents.import_file(
        file=("agent.af", file.encode()), append_copy_suffix=False, override_existing_tools=False
    )
    (copy,) = made.agent_ids
    assert copy != agent.id
    again = client.agents.retrieve(copy, include=["agent.blocks", "agent.tools"])
    assert (again.name, again.model) == (agent.name, MODEL)
    assert "Likes tea" in (again.blocks[0].value or "")
    assert {tool.name for tool in again.tools} == {tool.name for tool in agent.tools}

    def told(agent_id: str) -> list[object]:
        found = client.agents.messages.list(agent_id, limit=100).items
        return [(one.message_type, getattr(one, "date", None)) for one in found]

    assert told(copy) == told(agent.id)
    assert said(client, copy, "SAY still here") == "still here"
    assert len(told(copy)) > len(told(agent.id))


@pytest.mark.rule("api-7.1", "api-7.2")
def test_everything_comes_along_where_it_is_asked_for(
    client: Letta, make_agent: MakeAgent, tag: str
) -> None:
    agent = make_agent(name=tag, memory_blocks=[{"label": "human", "value": ""}])
    said(client, agent.id, "SAY hello")
    talk = client.conversations.create(agent_id=agent.id, summary="Aside")
    list(client.conversations.messages.create(talk.id, input="SAY aside"))
    client.agents.passages.create(agent.id, text=f"The word is {tag}.")
    file = client.get(
        f"/v1/agents/{agent.id}/export", cast_to=str, options={"params": {"everything": True}}
    )
    assert isinstance(file, str)
    (copy,) = client.agents.import_file(file=file.encode(), name=f"{tag} again").agent_ids
    (aside,) = client.conversations.list(agent_id=copy)
    assert aside.summary == "Aside"
    shown = client.conversations.messages.list(aside.id, limit=50).items
    assert "aside" in [getattr(one, "content", None) for one in shown]
    (passage,) = client.agents.passages.list(copy)
    assert passage.text == f"The word is {tag}."
    runs = client.runs.list(agent_id=copy).items
    assert len(runs) == 2
    assert client.runs.usage.retrieve(runs[0].id).total_tokens
    assert len(client.steps.list(agent_id=copy).items) == 2


@pytest.mark.rule("api-7.1", "api-7.2")
def test_what_is_wrong_is_said(client: Letta, agent: AgentState) -> None:
    with pytest.raises(APIStatusError) as refused:
        client.agents.export_file(agent.id, use_legacy_format=True)
    assert refused.value.status_code == 400
    with pytest.raises(APIStatusError) as wrong:
        client.agents.import_file(
            file=json.dumps({"agents": [{"id": "a", "agent_type": "x"}]}).encode()
        )
    assert wrong.value.status_code == 400
    assert "agents[0].agent_type" in str(wrong.value)
    with pytest.raises(APIStatusError) as unknown:
        client.agents.import_file(
            file=client.agents.export_file(agent.id).encode(), model="openai/nobody"
        )
    assert unknown.value.status_code == 404


@pytest.mark.rule("api-7.1", "api-7.2")
def test_a_request_for_approval_waits_in_the_copy_too(client: Letta, make_agent: MakeAgent) -> None:
    agent = make_agent(
        tool_rules=[{"type": "requires_approval", "tool_name": "conversation_search"}]
    )
    client.agents.messages.create(agent.id, input='CALL conversation_search {"query": "tea"}')
    file = client.agents.export_file(agent.id)
    (copy,) = client.agents.import_file(file=file.encode()).agent_ids
    waiting = client.agents.retrieve(copy, include=["agent.pending_approval"]).pending_approval
    assert waiting is not None
    (call,) = [one for one in waiting.tool_calls or [] if not isinstance(one, str | tuple)]
    reply = client.agents.messages.create(
        copy,
        messages=[
            {
                "type": "approval",
                "approvals": [
                    {"type": "approval", "tool_call_id": call.tool_call_id or "", "approve": True}
                ],
            }
        ],
    )
    assert "tool_return_message" in [one.message_type for one in reply.messages]
