"""Which words of a message can be found, and how two rankings become one."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe import ids
from eunoe.domain.messages import Message, Role, Text, ToolCall, ToolReturn
from eunoe.domain.ranking import fused
from eunoe.domain.recall import INDEXED_CHARS, day, speaker, spoken
from eunoe.domain.words import indexed_words, query_words

NOW = datetime(2023, 5, 8, tzinfo=UTC)


def message(
    role: Role,
    text: str = "",
    *,
    name: str | None = None,
    calls: tuple[ToolCall, ...] = (),
    returns: tuple[ToolReturn, ...] = (),
) -> Message:
    content = (Text(text=text),) if text else ()
    return Message(
        id=ids.new("message"),
        role=role,
        agent_id=ids.new("agent"),
        created_at=NOW,
        content=content,
        name=name,
        calls=calls,
        returns=returns,
    )


def called(name: str, arguments: str = "{}") -> tuple[ToolCall, ...]:
    return (ToolCall(id="c1", name=name, arguments=arguments),)


def returned(name: str, output: str) -> tuple[ToolReturn, ...]:
    return (ToolReturn(call_id="c1", name=name, ok=True, output=output, time=""),)


@pytest.mark.rule("M28", "M26", "FIX-42")
@pytest.mark.parametrize(
    ("said", "text"),
    [
        (message("user", "Good morning."), "Good morning."),
        (message("user", '{"a": 1}'), '{"a": 1}'),
        (message("user", '{"type": "user_message", "message": "Hi", "time": "t"}'), "Hi"),
        (message("user", '{\n  "type": "heartbeat",\n  "reason": "go on"\n}'), ""),
        (message("user", '{"type": "login", "last_login": "never"}'), ""),
        (message("system", "You are Ada."), ""),
        (message("summary", "Before, we spoke."), ""),
        (message("assistant", "Sure."), "Sure."),
        (
            message("assistant", "I ponder.", calls=called("send_message", '{"message": "Hello"}')),
            "Hello",
        ),
        (message("assistant", calls=called("send_message", '{"message": {"a": 1}}')), '{"a": 1}'),
        (message("assistant", calls=called("send_message", '{"message": 42}')), "42"),
        (message("assistant", "Let me see.", calls=called("conversation_search")), ""),
        (message("assistant", "A moment.", calls=called("roll_dice")), "A moment."),
        (message("tool", returns=returned("roll_dice", "a six")), "a six"),
        (message("tool", returns=returned("conversation_search", "found")), ""),
        (message("tool", returns=returned("memory_insert", "the whole block")), ""),
        (message("tool", returns=returned("roll_dice", "None")), ""),
        (message("user", "nul\x00 and \ud800"), "nul and"),
        (message("user", "x" * 20_000), "x" * INDEXED_CHARS),
    ],
)
def test_what_can_be_found(said: Message, text: str) -> None:
    assert spoken(said) == text


def test_speaker_and_day_are_words() -> None:
    assert speaker(message("user", "x", name="Ann")) == "Ann"
    assert speaker(message("tool", returns=returned("roll_dice", "6"))) == "roll_dice"
    assert day(NOW) == "2023 05 08 8 May Monday"


def test_words_are_cut_alike_everywhere() -> None:
    assert indexed_words("Café_au-lait, 3.14!") == "cafe au lait 3 14"
    assert indexed_words("東京タワー by night") == "東 京 タ ワ ー night"
    assert indexed_words("Who are you?") == "who are you"


def test_a_query_asks_for_what_tells_something() -> None:
    assert query_words("What did we say about the Blue house?") == ["say", "blue", "house"]
    assert query_words("Who are you?") == ["who", "are", "you"]
    assert query_words("東京都") == ["東 京", "京 都"]
    assert query_words("!!! 🎉") == []


@given(st.text())
def test_query_words_are_never_syntax(text: str) -> None:
    for word in query_words(text):
        assert not set(word) & set(string.punctuation + "\0\n")
        assert len(word) <= 64


def test_a_long_query_is_bounded() -> None:
    assert len(query_words(" ".join(f"w{number}" for number in range(200_000)))) == 32


@pytest.mark.rule("FIX-43")
def test_both_lists_count() -> None:
    both = fused({1: 9.0, 2: 8.0, 3: 0.1}, {2: 0.9, 4: 0.8, 1: 0.1, 3: 0.1}, limit=9)
    assert {one.key for one in both} == {1, 2, 3, 4}
    best = both[0]
    assert (best.key, best.text_rank, best.vector_rank) == (2, 2, 1)
    assert all(0 < one.score < 1 for one in both)


def test_one_list_alone_keeps_its_order() -> None:
    assert [one.key for one in fused({1: 1.0, 2: 3.0, 3: 2.0}, {}, limit=9)] == [2, 3, 1]
    assert [one.key for one in fused({}, {1: 0.1, 2: 0.3}, limit=9)] == [2, 1]
    assert [one.key for one in fused({7: 1.0, 9: 1.0}, {}, limit=9)] == [9, 7]
    assert [one.key for one in fused({1: 1.0, 2: 3.0, 3: 2.0}, {}, limit=2)] == [2, 3]
    assert fused({}, {}, limit=9) == []
