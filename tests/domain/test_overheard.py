"""What leaves a voice agent's view, and what is kept of it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.messages import Message, Role, Text, ToolCall
from eunoe.domain.overheard import Chunk, chunks_of, leaving, overheard_text, passage_text
from eunoe.domain.spoken import as_sent, as_spoken
from eunoe.errors import EditInvalid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINES = ["user: a", "assistant: b", "user: c"]


def _message(role: Role, **fields: object) -> Message:
    return Message(id="message-x", role=role, agent_id="agent-x", created_at=NOW, **fields)  # pyright: ignore[reportArgumentType]  # fields of any kind


@pytest.mark.rule("G23")
@given(
    roles=st.lists(st.sampled_from(["user", "assistant", "tool"]), max_size=60),
    least=st.integers(5, 20),
    more=st.integers(1, 20),
)
def test_a_window_is_shortened_at_a_turn(roles: list[Role], least: int, more: int) -> None:
    messages = [_message(role) for role in roles]
    number = leaving(messages, most=least + more, least=least)
    if len(messages) + 1 <= least + more:
        assert number == 0
    elif number:
        assert messages[number].role == "user"
        later = [place for place in range(len(roles) - least, number) if roles[place] == "user"]
        assert later == []
    else:
        assert "user" not in roles[1:]
    assert leaving(messages, most=None, least=None) == 0


@pytest.mark.rule("G24")
@pytest.mark.parametrize(
    ("first", "last", "kept"), [(0, 1, LINES[:2]), (1, 99, LINES[1:]), (-4, -2, LINES[:1])]
)
def test_a_chunk_holds_its_lines_and_its_context(first: int, last: int, kept: list[str]) -> None:
    text = passage_text(Chunk(first=first, last=last, context="Why."), LINES)
    said = "\n".join(f"<message>{line}</message>" for line in kept)
    assert text == (
        f"<memory>\n<messages>\n{said}\n</messages>\n<context>Why.</context>\n</memory>"
    )


@pytest.mark.rule("G24")
def test_lines_are_numbered_through() -> None:
    shown = overheard_text(LINES[:2], LINES[2:])
    assert "left the view:\n0. user: a\n1. assistant: b\n" in shown
    assert shown.endswith("still in view:\n2. user: c")
    chunk = {"start_index": "2", "context": "x"}
    assert chunks_of({"chunks": [chunk]}).chunks == (Chunk(first=2, last=2, context="x"),)
    for wrong in ({}, {"chunks": "a"}, {"chunks": ["a"]}, {"chunks": [{"start_index": 1}]}):
        with pytest.raises(EditInvalid):
            chunks_of(wrong)


@pytest.mark.rule("G23", "S51", "S54")
def test_what_is_said_is_stored_as_sent_and_remembered_as_said() -> None:
    look = ToolCall(id="a", name="look", arguments='{"at": "it"}')
    reply = _message("assistant", content=(Text(text="One moment."),), calls=(look,))
    sent = as_sent(reply)
    assert [(call.name, call.heartbeat) for call in sent.calls] == [
        ("send_message", False),
        ("look", True),
    ]
    asked = _message("user", content=(Text(text='{"type": "user_message", "message": "Hi."}'),))
    heard = replace(look, arguments='{"thinking": "Hm.", "at": "it", "request_heartbeat": true}')
    sent = replace(sent, calls=(sent.calls[0], heard))
    told, said = as_spoken([asked, sent])
    assert told.content == (Text(text="Hi."),)
    assert (said.content, said.calls) == (reply.content, reply.calls)
