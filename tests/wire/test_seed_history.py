"""A window as an OpenAI-style client sees it (agent S49 to S56)."""

import json
from dataclasses import replace

import pytest

from eunoe.domain.messages import Image, Message, Reasoning, Text
from eunoe.http.seed import (
    convert_in_context_letta_messages_to_openai,
    create_assistant_messages_from_openai_response,
    package_user_message,
)
from tests.wire.said import AGENT, call, message, returned

FIRST = message("system", "You remember.")
SHOWN = {"role": "system", "content": "You remember."}


def rest_of(*messages: Message, exclude: bool = False) -> list[dict[str, object]]:
    first, *rest = convert_in_context_letta_messages_to_openai([FIRST, *messages], exclude)
    assert first == SHOWN
    return rest


@pytest.mark.rule("S49")
def test_the_first_message_is_always_there_as_it_is() -> None:
    convert = convert_in_context_letta_messages_to_openai
    assert convert([FIRST], exclude_system_messages=True) == [SHOWN]
    packed = message("user", package_user_message("Hi.", "UTC"))
    (first,) = convert([packed])
    assert json.loads(str(first["content"]))["message"] == "Hi."
    with pytest.raises(IndexError):
        convert([])


@pytest.mark.rule("S50")
def test_later_system_messages_are_left_out_on_request() -> None:
    assert rest_of(FIRST) == [SHOWN]
    assert rest_of(FIRST, exclude=True) == []


@pytest.mark.rule("S51")
def test_what_is_said_through_the_tool_is_plain_text() -> None:
    spoken = message(
        "assistant",
        Reasoning(text="Hm."),
        "aside",
        calls=(
            call("look", id_="1"),
            call("send_message", '{"message": "Hi."}', id_="2"),
            call("send_message", '{"message": "Again."}', id_="3"),
        ),
    )
    assert rest_of(spoken) == [{"role": "assistant", "content": "Hi."}]
    mute = message("assistant", calls=(call("send_message", "{}"),))
    assert rest_of(replace(mute, name="Ada")) == [
        {"role": "assistant", "content": "", "name": "Ada"}
    ]
    with pytest.raises(json.JSONDecodeError):
        rest_of(message("assistant", calls=(call("send_message", "{broken"),)))


@pytest.mark.rule("S52")
def test_other_calls_stay() -> None:
    calling = message("assistant", "Let me look.", calls=(call("look", '{"at": 1}'),))
    function = {"name": "look", "arguments": '{"at": 1}'}
    assert rest_of(calling) == [
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
    ]


@pytest.mark.rule("S53")
def test_the_return_of_the_message_tool_is_left_out() -> None:
    assert rest_of(message("tool", returns=(returned("send_message"),))) == []
    (told,) = rest_of(message("tool", returns=(returned("look", "seen"),)))
    assert (told["role"], told["tool_call_id"]) == ("tool", "call_1")
    assert json.loads(str(told["content"]))["message"] == "seen"


@pytest.mark.rule("S54")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ('  {"type": "user_message", "message": "Hi."}', "Hi."),
        ('{"type": "system_alert", "message": "Summary."}', "Summary."),
        ('{"type": "login"}', '{"type": "login"}'),
        ("{broken", "{broken"),
    ],
)
def test_what_users_said_is_unpacked(text: str, shown: str) -> None:
    assert rest_of(message("user", text)) == [{"role": "user", "content": shown}]
    assert rest_of(message("summary", text)) == [{"role": "user", "content": shown}]


@pytest.mark.rule("S54")
def test_only_the_first_part_of_what_a_user_said_is_looked_at() -> None:
    later = message("user", "plain", '{"message": "Hi."}')
    assert rest_of(later) == [{"role": "user", "content": 'plain\n\n{"message": "Hi."}'}]
    with pytest.raises(AttributeError):
        rest_of(message("user", Image(media_type="image/png", data="")))


@pytest.mark.rule("S55", "FIX-13")
def test_an_answer_to_an_approval_request_is_left_out_and_the_request_is_a_call() -> None:
    request = message("approval", calls=(call("wipe"),))
    answer = message("approval")
    (told,) = rest_of(request, answer)
    function = {"name": "wipe", "arguments": "{}"}
    assert told["role"] == "assistant"
    assert told["tool_calls"] == [{"id": "call_1", "type": "function", "function": function}]


@pytest.mark.rule("S56")
def test_one_message_in_openais_form() -> None:
    convert = convert_in_context_letta_messages_to_openai
    two = message("user", "one", "two")
    assert convert([two]) == [{"role": "user", "content": "one\n\ntwo"}]
    (image,) = convert([message("user", Image(media_type="image/png", data=""))])
    assert image["content"] == "[Image]"
    long = "call_" + "x" * 40
    (calling,) = convert([message("assistant", calls=(call("look", id_=long),))])
    (told,) = convert([message("tool", returns=(returned("look", id_=long),))])
    assert calling["tool_calls"][0]["id"] == told["tool_call_id"] == long[:29]
    for name, kept in (("Bob", True), ("a b", False), ("a<b", False), ("a/b", False)):
        (named,) = convert([replace(two, name=name)])
        assert ("name" in named) is kept
    (thinking,) = convert([message("assistant", Reasoning(text="Hm.", signature="s"), "Hi.")])
    assert thinking == {
        "role": "assistant",
        "content": "Hi.",
        "reasoning_content": "Hm.",
        "reasoning_content_signature": "s",
    }
    (alone,) = convert([message("assistant", Reasoning(text="Hm."))])
    assert "reasoning_content" not in alone


@pytest.mark.rule("S47", "S51", "S53")
def test_records_are_converted_like_messages() -> None:
    said = create_assistant_messages_from_openai_response("Hi.", AGENT, "m", None, "UTC")
    shown = convert_in_context_letta_messages_to_openai([FIRST, *said])
    assert shown == [SHOWN, {"role": "assistant", "content": "Hi."}]
    assert isinstance(FIRST.content[0], Text)
