"""A constrained reply read back into text and calls, however its text is cut."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.events import ModelEvent
from eunoe.errors import ModelReplyInvalid
from eunoe.llm.local_reply import ReplyReader
from eunoe.llm.local_tools import written_call, written_reply
from tests.llm.talk import calls_in, text_in

CUTS = st.lists(st.integers(1, 7), min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


def read(reader: ReplyReader, text: str, cuts: Sequence[int]) -> list[ModelEvent]:
    """Feed `text` in pieces of the sizes `cuts`, again and again."""
    events: list[ModelEvent] = []
    at = turn = 0
    while at < len(text):
        size = cuts[turn % len(cuts)]
        events += reader.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    return events


@given(text=TEXTS, cuts=CUTS, ascii_only=st.booleans())
def test_a_reply_is_its_text_whatever_the_cuts(
    text: str, cuts: list[int], *, ascii_only: bool
) -> None:
    reader = ReplyReader(call_id="call_1")
    written = json.dumps({"because": 'a "reason"', "reply": text}, ensure_ascii=ascii_only)
    events = read(reader, written, cuts)
    assert text_in(events) == text
    assert reader.whole
    assert not reader.called


@given(arguments=st.dictionaries(TEXTS, VALUES), cuts=CUTS)
def test_a_call_keeps_its_arguments_to_the_letter(
    arguments: dict[str, object], cuts: list[int]
) -> None:
    written = json.dumps(arguments, indent=1)
    reader = ReplyReader(call_id="call_1")
    events = read(reader, written_call("memory_insert", written) + "\n", cuts)
    assert calls_in(events) == [("call_1", "memory_insert", written)]
    assert reader.whole
    assert reader.called


@given(value=VALUES.filter(lambda value: not isinstance(value, str)), cuts=CUTS)
def test_a_reply_of_another_shape_is_its_json(value: object, cuts: list[int]) -> None:
    reader = ReplyReader(call_id="call_1")
    events = read(reader, f'{{"because": "x", "reply": {json.dumps(value)} }}', cuts)
    assert text_in(events) == json.dumps(value)
    assert reader.whole


def test_text_is_handed_on_as_it_comes() -> None:
    reader = ReplyReader(call_id="call_1")
    assert text_in(list(reader.feed('{"because": "x", "reply": "He'))) == "He"
    assert text_in(list(reader.feed("llo"))) == "llo"
    assert text_in(list(reader.feed("\\"))) == ""
    assert text_in(list(reader.feed("n\\ud83d"))) == "\n"
    assert text_in(list(reader.feed('\\ude00"}'))) == "😀"


def test_half_of_a_pair_of_escapes_is_left_out() -> None:
    reader = ReplyReader(call_id="call_1")
    assert text_in(list(reader.feed('{"reply": "a\\ud83d b"}'))) == "a b"


def test_a_cut_reply_is_not_whole() -> None:
    reader = ReplyReader(call_id="call_1")
    assert text_in(list(reader.feed(written_reply("Hello there")[:-4]))) == "Hello the"
    assert not reader.whole


@pytest.mark.parametrize("text", ["Hello!", "[1]", '{"because": "' + "x" * 3000])
def test_what_is_not_of_the_schema_is_refused(text: str) -> None:
    with pytest.raises(ModelReplyInvalid):
        list(ReplyReader(call_id="call_1").feed(text))
