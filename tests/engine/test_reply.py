"""One reply of the heartbeat loop while it comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.events import CallDelta, Finished, ModelEvent, ReasoningDelta, TextDelta
from eunoe.domain.messages import Json, Message, Reasoning, Text
from eunoe.domain.views import Answered, Body, Called, CallFragment, Thought, views
from eunoe.engine.hearing import Hearing
from eunoe.engine.reply import Reply
from tests.wire.said import AT

HEARING = Hearing(speech=("send_message", "message"), thinking=True)
MESSAGE_ID = "message-00000000-0000-4000-8000-000000000000"


def made(reply: Reply, *, with_calls: bool = True) -> Message | None:
    return reply.message(
        message_id=MESSAGE_ID, agent_id="agent-1", model="m", at=AT, with_calls=with_calls
    )


def taken(
    events: list[ModelEvent], *, hearing: Hearing = HEARING
) -> tuple[Reply, list[list[Body]]]:
    """Return the reply and what was shown of it, part by part."""
    reply = Reply(hearing=hearing)
    parts: list[list[Body]] = []
    for event in events:
        for part, body in reply.take(event):
            assert part in {len(parts) - 1, len(parts)}
            if part == len(parts):
                parts.append([])
            parts[part].append(body)
    return reply, parts


def fragments(name: str, arguments: str, cut: int, *, index: int = 0) -> list[ModelEvent]:
    pieces = [arguments[place : place + cut] for place in range(0, len(arguments), cut)]
    first = CallDelta(index=index, id=f"call-{index}", name=name, arguments="")
    return [first, *(CallDelta(index=index, arguments=piece) for piece in pieces)]


@pytest.mark.rule("G-11", "G-15", "streaming-2.10")
def test_of_a_reply_that_is_cut_off_stays_what_was_shown() -> None:
    text = '{"thinking": "Greet.", "message": "Good mor'
    reply, parts = taken(fragments("send_message", text, 4))
    message = made(reply, with_calls=False)
    assert message is not None
    assert message.content == (Reasoning(text="Greet.", native=False), Text(text="Good mor"))
    assert message.calls == ()
    assert len(parts) == len(views(message)) == 2


@pytest.mark.rule("L59", "L61", "streaming-2.5")
def test_there_is_one_call_and_the_reply_ends_with_it() -> None:
    events = [
        ReasoningDelta(text="native"),
        TextDelta(text="beside"),
        *fragments("act", '{"thinking": "t", "a": 1}', 50),
        *fragments("act", '{"a": 2}', 50, index=1),
        TextDelta(text="too late"),
        Finished(reason="tool_calls"),
    ]
    reply, parts = taken(events)
    reply.check()
    message = made(reply)
    assert message is not None
    assert [type(body) for (body, *_) in parts] == [Thought, Thought, Thought, CallFragment]
    assert [type(view.body) for view in views(message)] == [Thought, Thought, Thought, Called]
    assert [call.arguments for call in message.calls] == ['{ "a": 1}']


@pytest.mark.rule("G-19", "L54", "streaming-2.9", "streaming-2.10")
@given(
    name=st.sampled_from(["act", "send_message"]),
    pairs=st.permutations(
        ['"thinking": "th\\u00e9"', '"message": "s\\ud83d\\ude42y"', '"request_heartbeat": true']
    ),
    left_out=st.integers(0, 3),
    cut=st.integers(1, 30),
    thinking=st.booleans(),
    ended=st.booleans(),
)
def test_the_fragments_of_each_part_add_up_to_what_is_stored(
    name: str, pairs: list[str], left_out: int, cut: int, thinking: bool, ended: bool
) -> None:
    text = "{" + ", ".join(pairs[left_out:]) + ("}" if ended else "")
    hearing = Hearing(speech=HEARING.speech, thinking=thinking)
    reply, parts = taken(
        [*fragments(name, text, cut), Finished(reason="tool_calls")], hearing=hearing
    )
    message = made(reply)
    assert message is not None
    (call,) = message.calls
    assert call.heartbeat is ('"request_heartbeat": true' in pairs[left_out:])
    shown: Json = {}
    for part in parts:
        kind = type(part[0]).__name__
        assert kind not in shown
        shown[kind] = "".join(
            (body.arguments or "") if isinstance(body, CallFragment) else body.text
            for body in part
            if isinstance(body, CallFragment | Thought | Answered)
        )
    assert shown.get("Thought", "") == (call.thinking or "")

    if name == "act":
        assert shown["CallFragment"] == call.arguments
        assert list(shown) in (["CallFragment"], ["Thought", "CallFragment"])
    else:
        assert "CallFragment" not in shown
