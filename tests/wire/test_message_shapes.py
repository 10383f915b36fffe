"""What each thing said looks like on the wire (api 9)."""

import json

import pytest
from inline_snapshot import snapshot

from eunoe.domain.messages import Image, Json, Text
from eunoe.domain.runs import RunOptions
from eunoe.domain.views import (
    Answered,
    Body,
    Called,
    CallFragment,
    HiddenThought,
    Returned,
    Summarised,
    SystemSaid,
    Thought,
    UserSaid,
)
from eunoe.wire.messages import Lens, bodies, lens_of, listed_lens, shown
from tests.wire.said import call, message, returned, view

SPEECH = ("send_message", "message")
COMMON = {
    "id",
    "date",
    "name",
    "message_type",
    "otid",
    "sender_id",
    "step_id",
    "is_err",
    "seq_id",
    "run_id",
}


def own(body: Body, lens: Lens | None = None) -> list[Json]:
    """Return the fields that are not common to all."""
    made = list(bodies(view(body), lens or Lens()))
    assert all(one.keys() >= COMMON for one in made)
    return [
        {key: value for key, value in one.items() if key not in COMMON or key == "message_type"}
        for one in made
    ]


@pytest.mark.rule("api-9.1", "api-4.2", "api-4.3")
def test_the_common_fields() -> None:
    (made,) = bodies(view(Answered(text="Hi."), part=2), Lens(), seq=7)
    assert made == snapshot(
        {
            "id": "message-00000000-0000-4000-8000-0000000000ff",
            "date": "2026-01-02T03:04:05+00:00",
            "name": None,
            "message_type": "assistant_message",
            "otid": "00000000-0000-4000-8000-000000000082",
            "sender_id": None,
            "step_id": "step-00000000-0000-4000-8000-000000000003",
            "is_err": None,
            "seq_id": 7,
            "run_id": "run-00000000-0000-4000-8000-000000000002",
            "content": "Hi.",
        }
    )


@pytest.mark.rule("api-9.2", "api-9.6")
def test_what_an_agent_says_and_thinks() -> None:
    assert own(Answered(text="Hi.")) == snapshot(
        [{"message_type": "assistant_message", "content": "Hi."}]
    )
    assert own(Thought(text="Hm.", signature="sig")) == snapshot(
        [
            {
                "message_type": "reasoning_message",
                "source": "reasoner_model",
                "reasoning": "Hm.",
                "signature": "sig",
            }
        ]
    )
    assert own(Thought(text="Hm.", native=False)) == snapshot(
        [
            {
                "message_type": "reasoning_message",
                "source": "non_reasoner_model",
                "reasoning": "Hm.",
                "signature": None,
            }
        ]
    )
    assert own(HiddenThought(state="redacted", data="x")) == snapshot(
        [{"message_type": "hidden_reasoning_message", "state": "redacted", "hidden_reasoning": "x"}]
    )
    assert own(HiddenThought(state="omitted")) == snapshot(
        [{"message_type": "hidden_reasoning_message", "state": "omitted", "hidden_reasoning": None}]
    )


@pytest.mark.rule("api-9.2", "streaming-2.9")
def test_calls_and_their_returns() -> None:
    assert own(Called(calls=(call("a"), call("b", id_="call_2")))) == snapshot(
        [
            {
                "message_type": "tool_call_message",
                "tool_call": {"name": "a", "arguments": "{}", "tool_call_id": "call_1"},
                "tool_calls": [
                    {"name": "a", "arguments": "{}", "tool_call_id": "call_1"},
                    {"name": "b", "arguments": "{}", "tool_call_id": "call_2"},
                ],
            }
        ]
    )
    assert own(CallFragment(call_id="call_1", name="a")) == snapshot(
        [
            {
                "message_type": "tool_call_message",
                "tool_call": {"name": "a", "tool_call_id": "call_1"},
                "tool_calls": {"name": "a", "tool_call_id": "call_1"},
            }
        ]
    )
    assert own(CallFragment(call_id="call_1", arguments='{"x')) == snapshot(
        [
            {
                "message_type": "tool_call_message",
                "tool_call": {"arguments": '{"x', "tool_call_id": "call_1"},
                "tool_calls": {"arguments": '{"x', "tool_call_id": "call_1"},
            }
        ]
    )
    assert own(Returned(returns=(returned("a", {"x": "é"}, ok=False),))) == snapshot(
        [
            {
                "message_type": "tool_return_message",
                "tool_return": '{"x": "é"}',
                "status": "error",
                "tool_call_id": "call_1",
                "stdout": None,
                "stderr": None,
                "tool_returns": [
                    {
                        "type": "tool",
                        "tool_return": '{"x": "é"}',
                        "status": "error",
                        "tool_call_id": "call_1",
                        "stdout": None,
                        "stderr": None,
                    }
                ],
            }
        ]
    )


@pytest.mark.rule("api-9.2", "api-9.20")
def test_what_others_say() -> None:
    assert own(SystemSaid(text="Be kind.")) == snapshot(
        [{"message_type": "system_message", "content": "Be kind."}]
    )
    assert own(UserSaid(content=(Text(text="Hello."),))) == snapshot(
        [{"message_type": "user_message", "content": "Hello."}]
    )
    picture = Image(media_type="image/png", data="aGk=")
    assert own(UserSaid(content=(Text(text="Look."), picture))) == snapshot(
        [
            {
                "message_type": "user_message",
                "content": [
                    {"type": "text", "text": "Look.", "signature": None},
                    {
                        "type": "image",
                        "source": {
                            "type": "base64",
                            "media_type": "image/png",
                            "data": "aGk=",
                            "detail": None,
                        },
                    },
                ],
            }
        ]
    )


@pytest.mark.rule("api-9.14")
@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        ('{"type": "user_message", "message": "Hi.", "time": "now"}', "Hi."),
        ('{"type": "login", "last_login": "never"}', '{"type": "login", "last_login": "never"}'),
        ('{"not": "ours"}', '{"not": "ours"}'),
        ("{broken", "{broken"),
    ],
)
def test_a_user_envelope_is_opened_and_nothing_else(stored: str, seen: str) -> None:
    assert own(UserSaid(content=(Text(text=stored),)))[0]["content"] == seen
    picture = Image(media_type="image/png", data="aGk=")
    parts = own(UserSaid(content=(Text(text=stored), picture)))[0]["content"]
    assert (parts[0]["text"], parts[1]["type"]) == (seen, "image")


@pytest.mark.rule("api-9.12", "streaming-2.12")
def test_a_summary_is_shown_as_such_only_when_asked() -> None:
    stats = {"trigger": "context_window_exceeded", "context_window": 100}
    envelope = json.dumps({"type": "system_alert", "message": "So far.", "compaction_stats": stats})
    summary = Summarised(envelope=envelope)
    assert own(summary) == [{"message_type": "user_message", "content": envelope}]
    assert own(summary, Lens(summaries=True, types=frozenset())) == snapshot(
        [
            {
                "message_type": "summary_message",
                "summary": "So far.",
                "compaction_stats": {"trigger": "context_window_exceeded", "context_window": 100},
            }
        ]
    )
    assert own(summary, Lens(types=frozenset({"assistant_message"}))) == []


@pytest.mark.rule("api-9.5", "api-9.4")
def test_spoken_calls_are_speech_and_split_the_others() -> None:
    calls = (
        call("look", id_="1"),
        call("send_message", '{"message": "Hi \\u00e9"}', id_="2"),
        call("send_message", "{}", id_="3"),
        call("see", id_="4"),
        call("hear", id_="5"),
    )
    made = list(bodies(view(Called(calls=calls), part=1), Lens(speech=SPEECH)))
    assert [(one["message_type"], one["otid"][-2:]) for one in made] == snapshot(
        [("tool_call_message", "81"), ("assistant_message", "82"), ("tool_call_message", "83")]
    )
    assert made[1]["content"] == "Hi é"
    assert [one["name"] for one in made[-1]["tool_calls"]] == ["see", "hear"]


@pytest.mark.rule("api-9.5")
def test_what_a_spoken_call_came_to_is_left_out() -> None:
    both = Returned(returns=(returned("send_message"), returned("look", id_="call_2")))
    (made,) = own(both, Lens(speech=SPEECH))
    assert [one["tool_call_id"] for one in made["tool_returns"]] == ["call_2"]
    assert own(Returned(returns=(returned("send_message"),)), Lens(speech=SPEECH)) == []
    assert len(own(both)[0]["tool_returns"]) == 2


@pytest.mark.rule("api-9.5")
def test_an_agent_that_speaks_in_text_has_no_message_tool() -> None:
    options = RunOptions()
    assert lens_of(options, agent_type="letta_v1_agent").speech is None
    assert lens_of(options, agent_type="memgpt_agent").speech == SPEECH
    assert lens_of(RunOptions(use_assistant_message=False), agent_type=None).speech is None
    assert listed_lens(agent_type="memgpt_agent", types=None, speech=SPEECH).speech == SPEECH


@pytest.mark.rule("api-9.3", "api-9.4")
def test_parts_of_a_stored_message_have_its_id_and_their_own_otid() -> None:
    made = shown(message("assistant", "Let me look.", calls=(call("look"),)), Lens())
    assert [one["message_type"] for one in made] == ["assistant_message", "tool_call_message"]
    assert {one["id"] for one in made} == {message("assistant").id}
    assert [one["otid"] for one in made] == snapshot(
        ["00000000-0000-4000-8000-000000000080", "00000000-0000-4000-8000-000000000081"]
    )


@pytest.mark.rule("api-9.4", "L70")
def test_an_input_keeps_the_otid_it_came_with_and_types_are_filtered() -> None:
    said = message("user", "Hello.")
    assert shown(said, Lens())[0]["otid"] == "given-by-the-client"
    assert shown(said, Lens(types=frozenset({"assistant_message"}))) == []
