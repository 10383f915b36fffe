from datetime import UTC, datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.messages import Json, Message, Text, text_of
from eunoe.llm.transcripts import Transcripts

AT = datetime(2026, 1, 1, tzinfo=UTC)


def said(text: str) -> Message:
    return Message(
        id="message-1", role="user", agent_id="a", created_at=AT, content=(Text(text=text),)
    )


def write(message: Message) -> list[Json]:
    return [] if not message.content else [{"role": "user", "content": text_of(message)}]


texts = st.lists(st.text(max_size=5), max_size=6)


@given(first=texts, cut=st.integers(0, 6), second=texts, style=st.integers(0, 1))
def test_what_is_kept_never_changes_what_is_sent(
    first: list[str], cut: int, second: list[str], style: int
) -> None:
    kept = Transcripts()
    before = tuple(map(said, first))
    after = (*before[:cut], *map(said, second))

    kept.array(before, list_id="list", style=0, write=write)
    warm = kept.array(after, list_id="list", style=style, write=write)
    again = kept.array(before, list_id="list", style=0, write=write)

    assert warm == Transcripts().array(after, list_id=None, style=style, write=write)
    assert orjson.loads(again) == [{"role": "user", "content": text} for text in first]


def test_only_what_is_new_is_written() -> None:
    kept, written = Transcripts(), list[str]()

    def counting(message: Message) -> list[Json]:
        written.append(text_of(message))
        return write(message)

    history = tuple(said(str(number)) for number in range(50))
    kept.array(history, list_id="list", style=0, write=counting)
    kept.array((*history, said("new")), list_id="list", style=0, write=counting)

    assert written[50:] == ["new"]
