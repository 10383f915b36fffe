"""Whatever an OpenAI client sends is read or refused with a reason (streaming 1.8, FIX-14)."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eunoe.domain.events import Used
from eunoe.domain.runs import Usage
from eunoe.domain.views import Answered, Called, Thought, View
from eunoe.errors import Invalid
from eunoe.ids import part_otid
from eunoe.wire import completions, responses
from eunoe.wire.messages import Lens
from eunoe.wire.speech import Close, Speech, paragraphs
from tests.wire.said import MESSAGE, call, view

T = TypeVar("T")

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
ANY = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_text", "input_image", "other"]) | ANY},
    optional={"text": ANY, "image_url": ANY | st.fixed_dictionaries({"url": ANY})},
)
SAID = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "system", "assistant"]) | ANY,
        "content": ANY | st.lists(PART | ANY, max_size=3),
        "name": ANY,
    },
)
MESSAGES = ANY | st.lists(SAID | ANY, max_size=3)
OTHERS = (
    "n",
    "tools",
    "tool_choice",
    "functions",
    "response_format",
    "modalities",
    "logprobs",
    "text",
    "conversation",
    "metadata",
    "prompt",
    "background",
)


@pytest.mark.rule("streaming-1.8", "FIX-14", "S63")
@given(
    said=MESSAGES,
    more=st.dictionaries(st.sampled_from(OTHERS), ANY | st.lists(ANY), max_size=1)
    | st.fixed_dictionaries({"text": st.fixed_dictionaries({"format": ANY})}),
)
def test_any_request_is_read_or_refused(said: Any, more: dict[str, Any]) -> None:
    with suppress(ValidationError):
        chat = completions.ChatCompletionRequest(model="agent", messages=said, **more)
        read_or_refused(completions.message_of, chat)
    with suppress(ValidationError):
        response = responses.ResponseRequest(model="agent", input=said, **more)
        read_or_refused(responses.message_of, response)
        read_or_refused(responses.conversation_of, response)


def read_or_refused(read: Callable[[T], object], request: T) -> None:
    try:
        read(request)
    except Invalid:
        return
    except ValidationError as error:
        text = "refused in another form than that of these routes"
        raise AssertionError(text) from error


@pytest.mark.rule("streaming-1.8")
def test_agents_that_speak_through_a_tool_are_heard_like_those_that_speak_in_text() -> None:
    lens = Lens(speech=("send_message", "message"))
    calls = (
        call("look", id_="1"),
        call("send_message", '{"message": "Hi."}', id_="2"),
        call("send_message", '{"message": "Bye."}', id_="3"),
    )
    thinking = view(Thought(text="Hm."))
    heard = paragraphs([thinking, view(Called(calls=calls), part=1)], lens)
    assert [one.text for one in heard] == ["Hi.", "Bye."]
    assert len({one.part for one in heard}) == 2
    close = Close(reason="end_turn", used=None, problem=None)
    head = completions.Head(run_id="run-1", created=1, model="m")
    whole = completions.completion(head, heard, close)
    assert whole["choices"][0]["message"]["content"] == "Hi.\n\nBye."


@pytest.mark.rule("streaming-1.8")
@given(
    said=st.lists(st.tuples(st.integers(0, 3), st.text(min_size=1)), max_size=8).map(
        lambda pieces: sorted(pieces, key=lambda piece: piece[0])
    )
)
def test_what_is_streamed_is_what_is_answered_whole(said: list[tuple[int, str]]) -> None:
    seen: list[View] = [view(Answered(text=text), part=part) for part, text in said]
    close = Close(
        reason="end_turn",
        used=Used(usage=Usage(total_tokens=3), step_count=1, context_tokens=None),
        problem=None,
    )
    pieces = [Speech(part=part_otid(MESSAGE, part), text=text) for part, text in said]
    head = completions.Head(run_id="run-1", created=1, model="m")
    teller = completions.CompletionTeller(head, with_usage=False)
    chunks = [body for piece in pieces for body in teller.said(piece)] + teller.closed(close)
    streamed = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
    whole = completions.completion(head, paragraphs(seen, Lens()), close)
    assert streamed == whole["choices"][0]["message"]["content"]

    begun = responses.response(head, responses.ResponseRequest(model="agent", input="x"))
    events = responses.ResponseTeller(begun)
    told = [*events.opened(), *(body for piece in pieces for body in events.said(piece))]
    told += events.closed(close)
    assert told[-1]["response"] == responses.closed(begun, paragraphs(seen, Lens()), close)
    assert [one["sequence_number"] for one in told] == list(range(len(told)))
