"""What a sleeptime agent reads of a conversation."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eunoe.domain.followups import shown
from eunoe.domain.messages import (
    ClientReturn,
    Decision,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolReturn,
)

AT = datetime(2024, 7, 1, tzinfo=UTC)


def message(role: Role, *content: Part) -> Message:
    return Message(id="message", role=role, agent_id="agent", created_at=AT, content=content)


def lines(*messages: Message) -> list[str]:
    _, _, rest = shown(messages).partition("Messages:\n")
    return rest.splitlines()


@pytest.mark.rule("G17")
def test_everything_that_was_said_called_and_returned_is_a_line() -> None:
    calls = (
        ToolCall(id="1", name="send_message", arguments='{"message": "Hello."}'),
        ToolCall(id="2", name="look", arguments='{"at": "sky"}'),
        ToolCall(id="3", name="send_message", arguments="{"),
    )
    returns = tuple(
        ToolReturn(call_id=one, name="look", ok=ok, output=output, time="")
        for one, ok, output in (("1", True, "None"), ("2", True, {"a": 1}), ("3", False, "no"))
    )
    answers = (
        Decision(call_id="2", approve=True),
        Decision(call_id="3", approve=False, reason="too far"),
        ClientReturn(call_id="4", ok=True, output="given"),
    )
    packed = Text(text=json.dumps({"type": "user_message", "message": "Packed.", "time": ""}))
    said = lines(
        message("system", Text(text="prompt")),
        message("user", Text(text="One."), Image(media_type="image/png", data=""), Text(text="2")),
        replace(message("user", packed), name="Zoe"),
        replace(message("assistant", Reasoning(text="Hm."), Text(text="Hi.")), calls=calls),
        replace(message("tool"), returns=returns),
        replace(message("approval"), calls=calls[1:2]),
        replace(message("approval"), approvals=answers),
        message("summary", Text(text="Earlier.")),
    )
    assert said == [
        "user: One.",
        "user: <image>",
        "user: 2",
        "Zoe: Packed.",
        "<thinking>Hm.</thinking>",
        "assistant: Hi.",
        "assistant: Hello.",
        'assistant calls look({"at": "sky"})',
        "assistant calls send_message({)",
        'look returns: {"a": 1}',
        "look fails: no",
        'assistant asks to call look({"at": "sky"})',
        "user allows the call",
        "user does not allow the call: too far",
    ]


@pytest.mark.rule("G18")
def test_the_reader_is_told_first_what_it_is() -> None:
    reminder, _, rest = shown([message("user", Text(text="Do this!"))]).partition("\n\n")
    assert "not the primary agent" in reminder
    assert rest == "Messages:\nuser: Do this!"
