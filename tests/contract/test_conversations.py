"""Every method that the official clients have for conversations, against a running server."""

from typing import Any

import pytest
from letta_client import Letta
from letta_client.types import AgentState

SUM_UP: Any = {"mode": "all"}


@pytest.mark.rule("api-11.2", "streaming-6.1", "streaming-1.1", "api-1.2")
def test_a_conversation_from_its_beginning_to_its_end(client: Letta, agent: AgentState) -> None:
    made = client.conversations.create(agent_id=agent.id, summary="Tea")
    create = client.conversations.messages.create
    for number in range(3):
        stream = create(made.id, input=f"SAY answer {number}", stream_tokens=True)
        events = [event.message_type for event in stream]
        assert events[-2:] == ["stop_reason", "usage_statistics"]
    found = client.conversations.retrieve(made.id)
    assert len(found.in_context_message_ids or []) == 7
    assert found.last_message_at is not None
    again: Any = client.conversations.messages.stream(
        made.id, run_id=client.runs.list(conversation_id=made.id).items[0].id
    )
    assert [event.message_type for event in again][-1] == "usage_statistics"

    fork = client.conversations.fork(made.id)
    done = client.conversations.messages.compact(made.id, compaction_settings=SUM_UP)
    assert done.num_messages_after < done.num_messages_before
    assert len(fork.in_context_message_ids or []) == 7
    assert made.id in client.conversations.recompile(made.id)
    listed = client.conversations.messages.list(made.id, order="asc", limit=4)
    assert len({message.id for message in listed}) == 8
    changed = client.conversations.update(made.id, summary="Cocoa")
    found_again = client.conversations.list(agent_id=agent.id, summary_search="Coco")
    assert [one.id for one in found_again] == [changed.id]
    assert client.conversations.delete(made.id) is None
    assert [one.id for one in client.conversations.list(agent_id=agent.id)] == [fork.id]


@pytest.mark.rule("G-24", "api-11.4")
def test_a_cancelled_conversation_goes_on(client: Letta, agent: AgentState) -> None:
    made = client.conversations.create(agent_id=agent.id)
    stream: Any = client.conversations.messages.create(made.id, input="SLOW 2000 SAY no")
    events = iter(stream)
    run_id = next(events).run_id
    assert client.conversations.cancel(made.id) == {run_id: "cancelled"}
    assert "cancelled" in [getattr(event, "stop_reason", None) for event in events]
    again: Any = client.conversations.messages.create(made.id, input="SAY yes")
    assert "yes" in [getattr(event, "content", None) for event in again]
