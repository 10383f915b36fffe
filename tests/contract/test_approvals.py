"""A person in the loop, from asking to acting, with both official clients."""

from typing import Any

import pytest
from letta_client import Letta

from tests.contract.conftest import MakeAgent
from tests.contract.reading import content_of, heard, parts_of

MEMORISED = 'CALL memory_insert {"label": "human", "new_string": "Likes tea."}'


@pytest.mark.rule("H1", "H3", "H12", "TR21", "streaming-1.7", "streaming-2.7", "api-6.3")
def test_a_call_waits_for_a_person_and_is_run_when_approved(
    client: Letta, make_agent: MakeAgent
) -> None:
    agent = make_agent(memory_blocks=[{"label": "human", "value": "Name: Ada"}])
    client.agents.tools.update_approval(
        "memory_insert", agent_id=agent.id, body_requires_approval=True
    )
    with client.agents.messages.create(
        agent.id, input=MEMORISED, streaming=True, stream_tokens=True
    ) as stream:
        got = heard(stream)
    assert (got.kinds[-3], got.reasons) == ("approval_request_message", ["requires_approval"])
    assert got.parts == parts_of(client.agents.messages.list(agent.id).items)
    waits: Any = client.agents.retrieve(agent.id, include=["agent.pending_approval"])
    (call,) = waits.pending_approval.tool_calls
    yes: Any = {"type": "approval", "tool_call_id": call.tool_call_id, "approve": True}
    answer: Any = client.agents.messages.create(
        agent.id, messages=[{"type": "approval", "approvals": [yes]}]
    )
    assert [part.message_type for part in answer.messages] == [
        "tool_return_message",
        "assistant_message",
    ]
    assert answer.messages[0].step_id == waits.pending_approval.step_id
    assert answer.messages[0].status == "success"
    assert "Likes tea." in client.agents.blocks.retrieve("human", agent_id=agent.id).value
    assert (
        client.agents.retrieve(agent.id, include=["agent.pending_approval"]).pending_approval
        is None
    )


@pytest.mark.rule("H18", "H19", "G-26", "api-8.4")
def test_a_clients_tool_is_asked_for_by_every_entrance(
    client: Letta, make_agent: MakeAgent
) -> None:
    agent = make_agent(include_base_tools=False)
    tools: Any = [{"name": "click", "parameters": {"type": "object", "properties": {}}}]
    create: Any = client.agents.messages.create
    entrances: list[Any] = [{}, {"streaming": True}, {"streaming": True, "stream_tokens": True}]
    for entrance in (*entrances, None):
        if entrance is None:
            run = client.agents.messages.create_async(
                agent.id, input="CALL click {}", client_tools=tools
            )
            with client.runs.messages.stream(run.id) as stream:
                assert heard(stream).reasons == ["requires_approval"]
        elif entrance:
            with create(agent.id, input="CALL click {}", client_tools=tools, **entrance) as stream:
                assert heard(stream).reasons == ["requires_approval"]
        else:
            client.agents.messages.create(agent.id, input="CALL click {}", client_tools=tools)
        waits: Any = client.agents.retrieve(agent.id, include=["agent.pending_approval"])
        (call,) = waits.pending_approval.tool_calls
        given: Any = {
            "tool_call_id": call.tool_call_id,
            "tool_return": "clicked",
            "status": "success",
        }
        answer: Any = client.agents.messages.create(
            agent.id, messages=[{"type": "tool_return", "tool_returns": [given]}]
        )
        assert content_of(answer.messages[0]) == "clicked"
