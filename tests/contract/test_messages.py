"""Sending to an agent and reading back what was said, through the official clients (api 8, 9)."""

import time
from typing import Any

import pytest
from letta_client import APIStatusError, ConflictError, Letta, NotFoundError
from letta_client.types import AgentState

from eunoe.ids import is_id, new
from tests.contract.conftest import MakeAgent
from tests.contract.reading import content_of, heard, parts_of

SEARCHED = 'THINK Let me look. CALL conversation_search {"query": "green tea"}'


@pytest.mark.rule("api-8.4", "streaming-3.1", "api-9.1", "api-9.3", "L1")
def test_a_blocking_send_answers_with_what_was_made(client: Letta, agent: AgentState) -> None:
    answer = client.agents.messages.create(agent.id, input=SEARCHED)
    said: list[Any] = answer.messages
    assert [part.message_type for part in said] == [
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    thought, call, returned, last = said
    assert thought.id == call.id != returned.id != last.id
    assert thought.step_id == call.step_id == returned.step_id != last.step_id
    assert call.tool_call.name == call.tool_calls[0].name == "conversation_search"
    assert returned.tool_returns[0].tool_call_id == call.tool_call.tool_call_id
    assert (returned.status, thought.source) == ("success", "reasoner_model")
    assert len({part.run_id for part in said}) == 1
    assert (answer.stop_reason.stop_reason, answer.usage.step_count) == ("end_turn", 2)


@pytest.mark.rule("streaming-2.6", "streaming-2.15", "api-10.4", "G-8", "api-9.4", "G-18")
@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("background", [False, True])
def test_a_stream_and_the_list_show_the_same_parts(
    client: Letta, agent: AgentState, tokens: bool, background: bool
) -> None:
    with client.agents.messages.create(
        agent.id, input=SEARCHED, streaming=True, stream_tokens=tokens, background=background
    ) as stream:
        got = heard(stream)
    assert got.kinds == [
        "ping",
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]
    assert got.reasons == ["end_turn"]
    assert got.parts == parts_of(client.agents.messages.list(agent.id).items)
    run_id = got.run_id or ""
    assert is_id("run", run_id)
    listed: Any = client.runs.messages.list(run_id)
    assert got.parts == parts_of(listed)
    used: Any = client.runs.usage.retrieve(run_id)
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert getattr(used, name) == getattr(got.usage, name)


@pytest.mark.rule("L53", "L61", "streaming-2.10", "G-18", "G-19")
@pytest.mark.parametrize("tokens", [False, True])
def test_an_agent_that_speaks_through_a_tool_is_told_in_full(
    client: Letta, make_agent: MakeAgent, tokens: bool
) -> None:
    agent = make_agent(agent_type="memgpt_agent", initial_message_sequence=[])
    with client.agents.messages.create(
        agent.id, input=SEARCHED, streaming=True, stream_tokens=tokens
    ) as stream:
        got = heard(stream)
    assert [part[0] for part in got.parts.values()] == [
        "reasoning_message",
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "reasoning_message",
        "assistant_message",
    ]
    assert got.reasons == ["end_turn"]
    assert got.parts == parts_of(client.agents.messages.list(agent.id).items)
    answer = client.agents.messages.create(agent.id, input='SAY "Hi"\\n there')
    assert content_of(answer.messages[-1]) == '"Hi"\\n there'


@pytest.mark.rule("streaming-1.1", "api-8.4")
def test_the_old_stream_method_is_the_same_stream(client: Letta, agent: AgentState) -> None:
    with (
        pytest.warns(DeprecationWarning, match="deprecated"),
        client.agents.messages.stream(agent.id, input="SAY Good evening.") as stream,  # pyright: ignore[reportDeprecated] -- it is what is tested
    ):
        got = heard(stream)
    assert [part[2] for part in got.parts.values()] == ["Good evening."]


@pytest.mark.rule("streaming-2.14", "streaming-2.13", "api-8.2")
def test_a_stream_of_what_was_asked_for_only(client: Letta, agent: AgentState) -> None:
    with client.agents.messages.create(
        agent.id,
        input=SEARCHED,
        streaming=True,
        include_pings=False,
        include_return_message_types=["assistant_message"],
    ) as stream:
        got = heard(stream)
    assert got.kinds == ["assistant_message", "stop_reason", "usage_statistics"]
    answer = client.agents.messages.create(
        agent.id, input=SEARCHED, include_return_message_types=["assistant_message"]
    )
    assert [part.message_type for part in answer.messages] == ["assistant_message"]
    kinds = {part.message_type for part in client.agents.messages.list(agent.id).items}
    assert kinds >= {"reasoning_message", "tool_call_message", "tool_return_message"}


@pytest.mark.rule("api-8.4", "api-8.6", "streaming-4.1", "G-10")
def test_an_async_send_is_a_run_that_ends(client: Letta, agent: AgentState) -> None:
    run = client.agents.messages.create_async(agent.id, input="SAY Later.")
    assert (run.agent_id, run.background) == (agent.id, True)
    assert run.metadata == {"run_type": "send_message_async"}
    with client.runs.messages.stream(run.id) as stream:
        got = heard(stream)
    assert [part[2] for part in got.parts.values()] == ["Later."]
    ended = client.runs.retrieve(run.id)
    assert (ended.status, ended.stop_reason) == ("completed", "end_turn")
    assert ended.completed_at is not None


@pytest.mark.rule("api-5.7", "api-5.8", "api-5.10", "api-8.14", "G-16")
def test_cursors_of_messages_are_absolute_and_pages_chronological(
    client: Letta, agent: AgentState
) -> None:
    for number in range(3):
        client.agents.messages.create(agent.id, input=f"SAY {number}")
    whole: Any = client.agents.messages.list(agent.id).items
    said = [content_of(part) for part in whole[1:]]
    assert said == ["SAY 0", "0", "SAY 1", "1", "SAY 2", "2"]

    def texts(**page: Any) -> list[str]:
        return [content_of(part) for part in client.agents.messages.list(agent.id, **page).items]

    assert texts(limit=2) == ["SAY 2", "2"]
    assert texts(limit=3, order="asc")[1:] == ["SAY 0", "0"]
    middle = whole[3].id
    for order in ("asc", "desc"):
        assert texts(after=middle, order=order) == ["1", "SAY 2", "2"]
        assert texts(before=middle, order=order)[1:] == ["SAY 0", "0"]
    assert texts(after=whole[1].id, before=whole[5].id) == ["0", "SAY 1", "1"]
    assert texts(after=whole[-1].id) == []
    walked = [part.id for part in client.agents.messages.list(agent.id, limit=2, order="asc")]
    assert walked == [part.id for part in whole]
    with pytest.raises(NotFoundError):
        texts(after=new("message"))


@pytest.mark.rule("api-5.10", "api-9.3")
def test_a_page_never_splits_a_message(client: Letta, agent: AgentState) -> None:
    client.agents.messages.create(agent.id, input=SEARCHED)
    whole: Any = client.agents.messages.list(agent.id).items
    pages: list[list[Any]] = []
    page = client.agents.messages.list(agent.id, limit=1, order="asc")
    while page.items:
        pages.append(list(page.items))
        page = client.agents.messages.list(agent.id, limit=1, order="asc", after=page.items[-1].id)
    assert [len(items) for items in pages] == [1, 1, 2, 1, 1]
    assert [part.otid for items in pages for part in items] == [part.otid for part in whole]


@pytest.mark.rule("api-8.14", "api-9.2")
def test_a_list_of_some_types(client: Letta, agent: AgentState) -> None:
    client.agents.messages.create(agent.id, input=SEARCHED)
    listed = client.agents.messages.list(
        agent.id, include_return_message_types=["user_message", "tool_return_message"]
    )
    kinds = [part.message_type for part in listed.items]
    assert kinds == ["user_message", "tool_return_message"]


@pytest.mark.rule("api-9.4", "streaming-2.5")
def test_the_otid_of_an_input_is_kept_and_of_a_part_derived(
    client: Letta, agent: AgentState, tag: str
) -> None:
    client.agents.messages.create(
        agent.id, messages=[{"role": "user", "content": SEARCHED, "otid": tag}]
    )
    listed: Any = client.agents.messages.list(agent.id).items
    assert [part.otid for part in listed if part.message_type == "user_message"] == [tag]
    thought, call = (part for part in listed if part.id == listed[2].id)
    assert [int(part.otid[-2:], 16) & 0x7F for part in (thought, call)] == [0, 1]
    assert thought.otid[:-2] == call.otid[:-2] == thought.id.removeprefix("message-")[:-2]


@pytest.mark.rule("api-8.16", "api-8.18", "api-2.8")
def test_messages_wherever_they_are(client: Letta, agent: AgentState) -> None:
    client.agents.messages.create(agent.id, input=SEARCHED)
    own: Any = client.agents.messages.list(agent.id).items
    everywhere: Any = client.messages.list(limit=1_000)
    here = [part.otid for part in everywhere if part.id in {one.id for one in own}]
    assert here == [part.otid for part in own]
    parts: Any = client.messages.retrieve(own[2].id)
    assert [part.message_type for part in parts] == ["reasoning_message", "tool_call_message"]
    with pytest.raises(NotFoundError):
        client.messages.retrieve(new("message"))


@pytest.mark.rule("api-8.20")
def test_searching_what_was_said(client: Letta, make_agent: MakeAgent, tag: str) -> None:
    first, second = make_agent(), make_agent()
    for one in (first, second):
        client.agents.messages.create(one.id, input=f"The word is {tag}.")
    found: Any = client.messages.search(query=tag, search_mode="fts")
    assert {one.agent_id for one in found} == {first.id, second.id}
    only: Any
    (only,) = client.messages.search(query=tag, agent_id=first.id, search_mode="fts", limit=1)
    assert (only.agent_id, tag in only.content) == (first.id, True)
    assert client.messages.search(query="zzqx-nowhere", search_mode="fts") == []
    with pytest.raises(APIStatusError) as refused:
        client.messages.search(query=tag, limit=101)
    assert refused.value.status_code == 422


@pytest.mark.rule("G-11", "streaming-4.7", "streaming-2.15", "api-8.10")
def test_cancel_stops_a_stream_and_keeps_what_was_said(client: Letta, agent: AgentState) -> None:
    with client.agents.messages.create(
        agent.id, input="SLOW 100 hello", streaming=True, stream_tokens=True
    ) as stream:
        events = iter(stream)
        opening: list[Any] = [next(events), next(events)]
        run_id: str = opening[0].run_id
        start = time.monotonic()
        assert client.agents.messages.cancel(agent.id, run_ids=[run_id]) == {run_id: "cancelled"}
        got = heard([*opening, *events])
        assert time.monotonic() - start < 10
    assert got.reasons == ["cancelled"]
    assert got.kinds == ["ping", "assistant_message", "stop_reason", "usage_statistics"]
    assert client.runs.retrieve(run_id).status == "cancelled"
    assert client.agents.messages.cancel(agent.id, run_ids=[run_id]) == {run_id: "cancelled"}
    with pytest.raises(ConflictError) as refused:
        client.agents.messages.cancel(agent.id)
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert client.agents.messages.create(agent.id, input="SAY on").usage.step_count == 1
    said = [content_of(part) for part in client.agents.messages.list(agent.id).items[1:]]
    (partial,) = (part[2] for part in got.parts.values())
    assert said[0] == "SLOW 100 hello"
    assert said[-1] == "on"
    assert partial.strip()
    assert any(text.startswith(partial.strip()) for text in said)


@pytest.mark.rule("api-3.3", "streaming-9.3", "api-10.6", "G-3", "G-14")
@pytest.mark.parametrize(
    ("script", "status", "error_type", "streamed_type"),
    [
        ("FAIL 401", 401, "llm_authentication", "llm_authentication"),
        ("FAIL 402", 402, "llm_insufficient_credits", "llm_error"),
        ("FAIL 400", 400, "llm_bad_request", "llm_error"),
        ("EOF 2", 500, "llm_error", "llm_error"),
    ],
)
def test_a_failing_provider_is_named_and_nothing_is_lost(
    client: Letta, agent: AgentState, script: str, status: int, error_type: str, streamed_type: str
) -> None:
    with pytest.raises(APIStatusError) as refused:
        client.agents.messages.create(agent.id, input=script)
    body: Any = refused.value.body
    assert (refused.value.status_code, body["error"]["type"]) == (status, error_type)
    assert refused.value.response.headers["x-should-retry"] == "false"
    with (
        pytest.raises(APIStatusError) as broken,
        client.agents.messages.create(agent.id, input=script, streaming=True) as stream,
    ):
        heard(stream)
    told: Any = broken.value.body
    assert told["error_type"] == streamed_type
    assert client.runs.retrieve(told["run_id"]).status == "failed"
    client.agents.messages.create(agent.id, input="SAY well")
    said = [content_of(part) for part in client.agents.messages.list(agent.id).items[1:]]
    assert said == [script, script, "SAY well", "well"]


@pytest.mark.rule("api-8.2", "streaming-1.3")
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 422),
        ({"messages": []}, 422),
        ({"messages": [{"role": "user", "content": "x"}], "input": "x"}, 422),
        ({"input": "x", "stream_tokens": True}, 422),
        ({"input": "x", "background": True}, 422),
        ({"input": "x", "max_steps": 0}, 422),
        ({"input": "x", "include_return_message_types": ["nothing"]}, 422),
        ({"messages": [{"role": "robot", "content": "x"}]}, 422),
        ({"input": "x", "override_model": "openai/nothing"}, 404),
        ({"input": "x", "override_model": "openai/nothing", "streaming": True}, 404),
    ],
)
def test_a_send_is_refused_before_any_effect(
    letta: Letta, agent: AgentState, fields: dict[str, Any], status: int
) -> None:
    with pytest.raises(APIStatusError) as refused:
        letta.post(f"/v1/agents/{agent.id}/messages", body=fields, cast_to=object)
    assert refused.value.status_code == status
    assert len(letta.agents.messages.list(agent.id).items) == 1
    assert letta.runs.list(agent_id=agent.id).items == []


@pytest.mark.rule("api-8.2", "L21", "streaming-1.6")
def test_overrides_hold_for_one_request(client: Letta, agent: AgentState) -> None:
    client.agents.messages.create(
        agent.id, input="Hello.", override_model="openai/gpt-4o-mini", override_system="Be brief."
    )
    (step,) = client.steps.list(agent_id=agent.id).items
    assert step.model == "gpt-4o-mini"
    client.agents.messages.create(agent.id, input="Hello again.")
    assert [one.model for one in client.steps.list(agent_id=agent.id)] == [
        "scripted-1",
        "gpt-4o-mini",
    ]
    system: Any = client.agents.messages.list(agent.id, order="asc", limit=1).items[0]
    assert "Be brief." not in system.content


@pytest.mark.rule("L14", "streaming-4.2")
def test_a_turn_ends_at_its_last_step(client: Letta, agent: AgentState) -> None:
    answer = client.agents.messages.create(agent.id, input="STEPS 5", max_steps=2)
    assert (answer.stop_reason.stop_reason, answer.usage.step_count) == ("max_steps", 2)
    (run,) = client.runs.list(agent_id=agent.id).items
    assert (run.status, run.stop_reason) == ("completed", "max_steps")


@pytest.mark.rule("agent-11.3", "G-17", "streaming-2.9")
@pytest.mark.parametrize("tokens", [False, True])
def test_a_call_written_as_text_is_a_call(client: Letta, agent: AgentState, tokens: bool) -> None:
    call = '{"name": "conversation_search", "arguments": {"query": "tea"}}'
    with client.agents.messages.create(
        agent.id,
        input=f"SAY Let me look. <tool_call>{call}</tool_call>",
        streaming=True,
        stream_tokens=tokens,
        max_steps=1,
    ) as stream:
        got = heard(stream)
    kinds = ["assistant_message", "tool_call_message", "tool_return_message"]
    assert [part[0] for part in got.parts.values()] == kinds
    assert next(iter(got.parts.values()))[2] == "Let me look. "
    assert got.parts == parts_of(client.agents.messages.list(agent.id).items)
    assert got.reasons == ["max_steps"]
