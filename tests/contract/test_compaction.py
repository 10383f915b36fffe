"""Compaction as clients see it: what they are told of it, and a talk many windows long (agent 6)."""

import json
from typing import Any, Final

import httpx
import pytest
from letta_client import BadRequestError, Letta
from letta_client.types import AgentState

from tests.contract.conftest import MakeAgent
from tests.contract.reading import assert_whole, content_of, frames

SMALL: Final = "openai/scripted-4k"
WINDOW: Final = 4_096
TIMES: Final = 20
FILLER: Final = "and so on and so forth " * 180
"""Half of what the small model's window holds beside the prompt; one turn of it fills the window."""
FULL: Final = f"SAY {FILLER}\n{FILLER}"
ENVELOPE: Final = "The following is a summary of the previous messages:"


@pytest.fixture
def small(make_agent: MakeAgent) -> AgentState:
    return make_agent(model=SMALL, context_window_limit=WINDOW, compaction_settings={"mode": "all"})


def compactions(shown: list[dict[str, Any]]) -> list[str]:
    """Return how an answer tells of compactions: the types of its messages about them."""
    return [
        one["message_type"]
        for one in shown
        if one["message_type"] in {"event_message", "summary_message"}
        or (one["message_type"] == "user_message" and ENVELOPE in one["content"])
    ]


@pytest.mark.rule("streaming-2.12", "L72", "C6", "C20", "streaming-2.13")
@pytest.mark.parametrize(
    "mode",
    [
        {},
        {"streaming": True},
        {"streaming": True, "stream_tokens": True},
        {"streaming": True, "stream_tokens": True, "background": True},
    ],
    ids=["blocking", "steps", "tokens", "background"],
)
def test_a_compaction_is_told_as_it_was_asked_for(
    http: httpx.Client, small: AgentState, mode: dict[str, bool]
) -> None:
    def told(**options: Any) -> list[dict[str, Any]]:
        url = f"/v1/agents/{small.id}/messages"
        answer = http.post(url, json={"input": FULL, **mode, **options})
        assert answer.status_code == 200, answer.text
        if not mode:
            return answer.json()["messages"]
        stream = frames(answer.text)
        assert_whole(stream)
        return [frame.data for frame in stream[:-1]]

    whole = told(include_compaction_messages=True)
    assert compactions(whole) == ["event_message", "summary_message"]
    event, summary = (one for one in whole if compactions([one]))
    assert event["event_data"].keys() == {"trigger", "context_token_estimate", "context_window"}
    assert event["event_data"]["trigger"] == "post_step_context_check"
    assert event["event_data"]["context_token_estimate"] > 0.9 * WINDOW
    assert ENVELOPE in summary["summary"]
    stats = summary["compaction_stats"]
    assert (stats["context_window"], stats["messages_count_after"]) == (WINDOW, 2)
    assert stats["context_tokens_after"] < stats["context_tokens_before"]

    plain = told()
    assert compactions(plain) == ["user_message"]
    packed = next(one for one in plain if compactions([one]))
    assert json.loads(packed["content"])["type"] == "system_alert"

    only = ["assistant_message"]
    assert compactions(told(include_return_message_types=only)) == []
    asked = told(include_return_message_types=only, include_compaction_messages=True)
    assert compactions(asked) == ["event_message", "summary_message"]


@pytest.mark.slow
@pytest.mark.rule("C10", "C12", "C26", "L33", "FIX-47", "G-2", "G-16")
@pytest.mark.parametrize("mode", ["sliding_window", "self_compact_all"])
def test_a_talk_of_twenty_windows_goes_on_and_loses_nothing(
    letta: Letta, make_agent: MakeAgent, mode: str
) -> None:
    agent = make_agent(
        model=SMALL,
        context_window_limit=WINDOW,
        compaction_settings={"mode": mode, "model": "openai/not-served"},
    )
    said: list[str] = []
    while sum(map(len, said)) < TIMES * WINDOW * 2:
        number = len(said)
        text = f"turn {number}: SAY {number} {FILLER[: 900 + 300 * (number % 11)]}"
        answer = letta.agents.messages.create(agent.id, input=text)
        assert answer.stop_reason.stop_reason == "end_turn"
        assert (answer.usage.context_tokens or 0) <= WINDOW
        said.append(text)
    window = letta.agents.retrieve(agent.id).message_ids or []
    assert len(window) < len(said)
    listed = [
        content_of(one)
        for one in letta.agents.messages.list(agent.id, limit=1_000, order="asc").items
        if one.message_type == "user_message"
    ]
    assert [text for text in listed if ENVELOPE not in text] == said
    assert any(ENVELOPE in text for text in listed)
    overview = letta.get(f"/v1/agents/{agent.id}/context", cast_to=object)
    assert isinstance(overview, dict)
    assert overview["context_window_size_current"] <= WINDOW
    assert ENVELOPE in overview["summary_memory"]
    again = letta.agents.messages.create(agent.id, input="SAY still here")
    assert [content_of(one) for one in again.messages] == ["still here"]


@pytest.mark.rule("C25", "G-14", "FIX-9", "FIX-47")
def test_a_message_larger_than_the_window_is_refused_and_the_next_one_is_not(
    letta: Letta, small: AgentState
) -> None:
    with pytest.raises(BadRequestError):
        letta.agents.messages.create(small.id, input="x" * 5 * WINDOW)
    answer = letta.agents.messages.create(small.id, input="SAY and on")
    assert "and on" in [content_of(one) for one in answer.messages]
    said = [content_of(one) for one in letta.agents.messages.list(small.id).items]
    assert "x" * 5 * WINDOW in said


@pytest.mark.rule("C14", "C23", "C9")
@pytest.mark.parametrize(
    "mode", ["all", "sliding_window", "self_compact_all", "self_compact_sliding_window"]
)
def test_a_person_compacts_in_any_mode(letta: Letta, make_agent: MakeAgent, mode: Any) -> None:
    agent = make_agent()
    for number in range(6):
        letta.agents.messages.create(agent.id, input=f"SAY {number}")
    done = letta.agents.messages.compact(agent.id, compaction_settings={"mode": mode})
    assert done.num_messages_before == 13
    sliding = mode.endswith("sliding_window")
    assert (2 < done.num_messages_after < 13) if sliding else (done.num_messages_after == 2)
    assert done.summary
    window = letta.agents.retrieve(agent.id).message_ids or []
    assert len(window) == done.num_messages_after
    kept = letta.agents.retrieve(agent.id).compaction_settings
    assert kept is not None
    assert kept.mode == "sliding_window"
    said = letta.agents.messages.list(agent.id, limit=50).items
    assert sum(one.message_type == "assistant_message" for one in said) == 6


@pytest.mark.rule("C8")
def test_an_agent_that_clears_its_buffer_is_compacted_too(
    http: httpx.Client, make_agent: MakeAgent
) -> None:
    agent = make_agent(model=SMALL, context_window_limit=WINDOW, message_buffer_autoclear=True)
    asked = {"input": FULL, "include_compaction_messages": True}
    answer = http.post(f"/v1/agents/{agent.id}/messages", json=asked)
    assert compactions(answer.json()["messages"]) == ["event_message", "summary_message"]


@pytest.mark.rule("C17", "C18", "C26")
def test_a_summariser_that_fails_is_asked_twice_and_done_without(
    letta: Letta, small: AgentState, model_url: str
) -> None:
    control, stats = (model_url.removesuffix("/v1") + path for path in ("/control", "/stats"))
    before = httpx.get(stats).json().get("faults", 0)
    fault = {"how": "fail", "match": "=== transcript starts ===", "status": 400}
    httpx.post(control, json={"fault": fault}).raise_for_status()
    try:
        answer = letta.agents.messages.create(small.id, input=FULL)
    finally:
        httpx.post(control, json={"fault": None}).raise_for_status()
    assert answer.stop_reason.stop_reason == "end_turn"
    assert httpx.get(stats).json()["faults"] - before == 2
    window = letta.agents.retrieve(small.id).message_ids or []
    said = [content_of(one) for one in letta.agents.messages.list(small.id).items]
    assert len(window) == 2
    assert FULL in said
    assert any("No summary could be made" in text for text in said)


@pytest.mark.rule("L32", "P11")
def test_a_result_larger_than_the_window_is_cut_and_says_where_it_is_whole(
    letta: Letta, small: AgentState, model_url: str
) -> None:
    for _ in range(4):
        letta.agents.messages.create(small.id, input=FULL)
    searched = 'CALL conversation_search {"query": "so forth", "limit": 10}'
    answer = letta.agents.messages.create(small.id, input=searched)
    assert answer.stop_reason.stop_reason == "end_turn"
    returned = next(one for one in answer.messages if one.message_type == "tool_return_message")
    assert len(returned.tool_return) > 4 * WINDOW
    (sent,) = [
        message["content"]
        for asked in httpx.get(model_url.removesuffix("/v1") + "/requests").json()
        for message in asked["messages"]
        if message["role"] == "tool" and returned.id in message["content"]
    ]
    assert len(sent) < 2 * WINDOW
    assert "are left out. The whole is stored as" in sent
