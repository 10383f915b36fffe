"""Runs and their steps through the official clients (api 19, streaming 4, 5)."""

from typing import Any

import pytest
from letta_client import APIStatusError, Letta, NotFoundError
from letta_client.types import AgentState
from letta_client.types.agents import Run

from eunoe.ids import is_id, new
from tests.contract.conftest import MakeAgent
from tests.contract.reading import heard

SEARCHED = 'THINK Let me look. CALL conversation_search {"query": "tea"}'


def said(client: Letta, agent: AgentState, *texts: str) -> list[Run]:
    """Send each text and return the runs that they made, the oldest first."""
    for text in texts:
        client.agents.messages.create(agent.id, input=text)
    return client.runs.list(agent_id=agent.id, order="asc").items


@pytest.mark.rule("api-19.1", "streaming-4.1", "G-10")
def test_a_run_says_how_it_went(client: Letta, agent: AgentState) -> None:
    (run,) = said(client, agent, "Hello.")
    ended = client.runs.retrieve(run.id)
    assert (ended.status, ended.stop_reason, ended.agent_id) == ("completed", "end_turn", agent.id)
    assert ended.metadata == {"run_type": "send_message"}
    assert ended.completed_at is not None
    assert ended.created_at is not None
    assert ended.created_at <= ended.completed_at
    assert 0 < (ended.ttft_ns or 0) <= (ended.total_duration_ns or 0)
    assert client.agents.retrieve(agent.id).last_stop_reason == "end_turn"


@pytest.mark.rule("api-19.2", "streaming-4.3", "api-5.4", "api-5.11")
def test_runs_are_found_by_what_they_are(client: Letta, agent: AgentState) -> None:
    ids = [run.id for run in said(client, agent, "one", "STEPS 3", "three")]
    assert [run.id for run in client.runs.list(agent_id=agent.id).items] == ids[::-1]
    assert [run.id for run in client.runs.list(agent_id=agent.id, limit=1, order="asc")] == ids
    assert client.runs.list(agent_id=agent.id, active=True).items == []
    assert client.runs.list(agent_id=agent.id, statuses=["failed"]).items == []
    assert client.runs.list(agent_id=agent.id, background=True).items == []
    done = client.runs.list(agent_id=agent.id, statuses=["completed"], stop_reason="end_turn")
    assert len(done.items) == 3
    for wrong, status in (
        ({"statuses": ["odd"]}, 400),
        ({"limit": 0}, 422),
        ({"limit": 1001}, 422),
    ):
        with pytest.raises(APIStatusError) as refused:
            client.runs.list(**wrong)  # pyright: ignore[reportArgumentType] -- wrong on purpose
        assert refused.value.status_code == status


@pytest.mark.rule("api-8.14", "api-19.2", "api-5.11")
def test_messages_of_a_run_in_either_order(client: Letta, agent: AgentState) -> None:
    run = said(client, agent, "before", SEARCHED)[1]
    listed: Any = client.runs.messages.list(run.id).items
    assert [part.message_type for part in listed] == [
        "user_message",
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    assert {part.run_id for part in listed} == {run.id}
    newest: Any = client.runs.messages.list(run.id, order="desc").items
    assert [part.otid for part in newest] == [part.otid for part in listed][::-1]


@pytest.mark.rule("api-19.4", "streaming-5.4", "streaming-5.1", "G-18", "L34")
def test_steps_of_a_run_add_up_to_its_usage(client: Letta, agent: AgentState) -> None:
    (run,) = said(client, agent, "STEPS 3")
    steps = client.runs.steps.list(run.id, order="asc").items
    assert len(steps) == 4
    assert [step.id for step in client.runs.steps.list(run.id)] == [one.id for one in steps][::-1]
    usage = client.runs.usage.retrieve(run.id)
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert sum(getattr(step, name) for step in steps) == getattr(usage, name) > 0
    assert {(step.status, step.model, step.run_id) for step in steps} == {
        ("success", "scripted-1", run.id)
    }


@pytest.mark.rule("G-18")
@pytest.mark.parametrize("calls", [0, 50])
def test_usage_is_one_number_wherever_it_is_told(
    letta: Letta, agent: AgentState, calls: int
) -> None:
    answer = letta.agents.messages.create(agent.id, input=f"STEPS {calls}", max_steps=200)
    (run,) = letta.runs.list(agent_id=agent.id).items
    with letta.runs.messages.stream(run.id) as stream:
        streamed = heard(stream).usage
    steps = list(letta.runs.steps.list(run.id, limit=20))
    told: Any = letta.runs.usage.retrieve(run.id)
    assert len(steps) == calls + 1 == answer.usage.step_count == streamed.step_count
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        total = sum(getattr(step, name) for step in steps)
        assert total == getattr(answer.usage, name) == getattr(streamed, name)
        assert total == getattr(told, name)


@pytest.mark.rule("api-19.4", "streaming-5.3", "streaming-5.5")
def test_a_step_and_what_is_known_of_it(client: Letta, agent: AgentState) -> None:
    (run,) = said(client, agent, SEARCHED)
    first = client.steps.list(agent_id=agent.id, order="asc").items[0]
    again = client.steps.retrieve(first.id)
    assert (again.id, again.run_id, again.total_tokens) == (first.id, run.id, first.total_tokens)
    metrics = client.steps.metrics.retrieve(first.id)
    assert (metrics.id, metrics.run_id, metrics.agent_id) == (first.id, run.id, agent.id)
    assert (metrics.llm_request_ns or 0) > 0
    assert client.steps.trace.retrieve(first.id) is None
    parts: Any = client.steps.messages.list(first.id).items
    assert [part.message_type for part in parts] == [
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
    ]
    with pytest.raises(NotFoundError):
        client.steps.retrieve(new("step"))


@pytest.mark.rule("api-19.4", "api-5.6")
def test_steps_are_found_by_feedback(client: Letta, agent: AgentState) -> None:
    said(client, agent, "one", "two")
    newest, oldest = client.steps.list(agent_id=agent.id).items
    assert client.steps.feedback.create(newest.id, feedback="positive").feedback == "positive"

    def found(**filters: Any) -> list[str]:
        return [step.id for step in client.steps.list(agent_id=agent.id, **filters)]

    assert found(has_feedback=True) == found(feedback="positive") == [newest.id]
    assert found(has_feedback=False) == [oldest.id]
    assert client.steps.feedback.create(newest.id, feedback=None).feedback is None
    assert found(has_feedback=True) == []
    with pytest.raises(NotFoundError):
        found(after=new("step"))


@pytest.mark.rule("G-4", "streaming-4.6", "api-10.10", "G-7", "streaming-2.17", "streaming-2.11")
def test_a_run_is_followed_again_from_any_place(client: Letta, agent: AgentState) -> None:
    with client.agents.messages.create(
        agent.id, input="SLOW 20 " + SEARCHED, streaming=True, stream_tokens=True, background=True
    ) as stream:
        events = iter(stream)
        first = [next(events).model_dump() for _ in range(3)]
    assert [event["seq_id"] for event in first] == [1, 2, 3]
    run_id = first[0]["run_id"]
    with client.runs.messages.stream(run_id, starting_after=3) as rest:
        resumed = [event.model_dump() for event in rest]
    with client.runs.messages.stream(run_id, starting_after=0) as again:
        whole = [event.model_dump() for event in again]
    assert first + resumed == whole
    numbers = [event["seq_id"] for event in whole if "seq_id" in event]
    assert numbers == list(range(1, len(numbers) + 1))
    with client.runs.messages.stream(run_id, starting_after=10_000) as nothing:
        assert list(nothing) == []
    assert client.runs.retrieve(run_id).status == "completed"


@pytest.mark.rule("api-2.2", "api-19.2", "api-2.8")
def test_ids_of_runs_are_checked_by_their_handler(client: Letta) -> None:
    calls: list[Any] = [
        client.runs.retrieve,
        client.runs.messages.list,
        client.runs.steps.list,
        client.runs.usage.retrieve,
        client.runs.messages.stream,
    ]
    for call in calls:
        with pytest.raises(APIStatusError) as malformed:
            call("run-1")
        assert malformed.value.status_code == 400
        with pytest.raises(NotFoundError):
            call(new("run"))


@pytest.mark.rule("streaming-4.4", "api-19.2", "streaming-4.3")
def test_a_run_is_measured_and_can_be_deleted(
    letta: Letta, make_agent: MakeAgent, http: Any
) -> None:
    agent = make_agent()
    (run,) = said(letta, agent, SEARCHED)
    metrics = http.get(f"/v1/runs/{run.id}/metrics").json()
    assert (metrics["id"], metrics["num_steps"]) == (run.id, 2)
    assert metrics["run_ns"] > 0
    assert [is_id("tool", one) for one in metrics["tools_used"]] == [True]
    spans = letta.runs.trace.retrieve(run.id)
    names = [
        "run",
        *["agent_step", "llm_request", "tool_execution"],
        *["agent_step", "llm_request"],
    ]
    assert [one["name"] for one in spans] == names
    whole, step, asked, tools = spans[:4]
    assert step["parent_span_id"] == whole["span_id"]
    assert asked["parent_span_id"] == tools["parent_span_id"] == step["span_id"]
    assert tools["attributes"] == {"tools": ["conversation_search"]}
    assert {one["status"] for one in spans} == {"ok"}
    assert len({one["span_id"] for one in spans}) == len(spans)
    assert len(letta.runs.trace.retrieve(run.id, limit=2)) == 2
    assert http.delete(f"/v1/runs/{run.id}").status_code == 200
    assert http.get(f"/v1/runs/{run.id}").status_code == 404
    listed = letta.agents.messages.list(agent.id).items
    assert [one.message_type for one in listed][-1] == "assistant_message"
    assert letta.agents.messages.create(agent.id, input="On.").usage.step_count == 1
