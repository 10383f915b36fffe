"""Windows are kept for the next turn, and the memory that they take is bounded."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.messages import Message, Text
from eunoe.runs import windows as kept_windows
from eunoe.runs.windows import Kept, Windows, closed
from tests.domain.conversations import config, histories, later

_AT = datetime(2026, 1, 1, tzinfo=UTC)


def said(text: str) -> Message:
    return Message(
        id="message-1", role="user", agent_id="agent-1", created_at=_AT, content=(Text(text=text),)
    )


def window(*messages: Message) -> Kept:
    return Kept(version=1, seq=len(messages), system=said("You remember."), messages=messages)


def kept(windows: Windows) -> list[str]:
    return list(windows._kept)  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 -- nothing else tells


def test_the_longest_unused_goes_first_and_the_newest_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_windows, "_KEPT_BYTES", 10_000)
    windows = Windows()
    for name in ("one", "two", "three"):
        windows.keep(name, window(said("x" * 3_000)))
    assert kept(windows) == ["two", "three"]
    windows.keep("two", window(said("y")))
    windows.keep("four", window(said("z" * 1_000)))
    assert kept(windows) == ["three", "two", "four"]
    windows.keep("huge", window(said("x" * 50_000)))
    assert kept(windows) == ["huge"]
    windows.drop("huge")
    windows.drop("huge")
    windows.keep("one", window(said("x")))
    assert kept(windows) == ["one"]


@given(lengths=st.lists(st.integers(0, 50), max_size=8), cut=st.integers(0, 8))
def test_what_a_window_takes_follows_what_is_in_it(lengths: list[int], cut: int) -> None:
    messages = tuple(said("x" * length) for length in lengths)
    windows, whole = Windows(), Windows()
    for end in range(len(messages) + 1):
        windows.keep("list", window(*messages[:end]))
    windows.keep("list", window(*messages[cut:]))
    whole.keep("list", window(*messages[cut:]))
    assert windows._bytes == whole._bytes  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 -- nothing else tells


@given(histories(), histories(min_turns=1))
def test_a_window_closed_turn_by_turn_is_as_one_closed_at_once(
    history: list[Message], more: list[Message]
) -> None:
    """Also the ids that are gone, which are kept so that calls cost no look at all of history."""
    both = tuple(later(history + more))
    begun = closed(window(*both[: len(history)]), config=config())
    longer = replace(begun, messages=both, seq=len(both))
    assert closed(longer, config=config()) == closed(window(*both), config=config())
