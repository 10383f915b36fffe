"""Who speaks when in a group."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.groups import TERMINATION_TOKEN, Group, turned
from eunoe.domain.rounds import Turn, first_turn, named, next_turn, options, question
from eunoe.errors import Invalid

AT = datetime(2024, 7, 1, tzinfo=UTC)
NAMES = {"a": "Ann", "b": "Bob", "c": "Ann Lee"}
GROUP = Group(
    id="group",
    manager_type="round_robin",
    agent_ids=("a", "b", "c"),
    description="",
    created_at=AT,
    updated_at=AT,
)
DYNAMIC = replace(
    GROUP, manager_type="dynamic", manager_agent_id="m", termination_token=TERMINATION_TOKEN
)


def after(
    group: Group, spoke: str, turn: int, said: str = "", before: str | None = None
) -> Turn | None:
    return next_turn(group, turn=turn, spoke=spoke, said=said, names=NAMES, before=before)


@pytest.mark.rule("G4")
def test_a_round_robin_goes_round_as_often_as_it_may() -> None:
    assert first_turn(GROUP) == ("a", 1)
    assert after(GROUP, "a", 1) == ("b", 2)
    assert after(GROUP, "b", 2) == ("c", 3)
    assert after(GROUP, "c", 3) is None
    longer = replace(GROUP, max_turns=4)
    assert after(longer, "c", 3) == ("a", 4)
    assert after(longer, "a", 4) is None


@pytest.mark.rule("G7", "FIX-64")
def test_the_manager_names_who_speaks_until_somebody_ends_it() -> None:
    assert first_turn(DYNAMIC) == ("m", 0)
    assert after(DYNAMIC, "m", 0, "Bob") == ("b", 1)
    assert after(DYNAMIC, "b", 1, "That is it.") == ("m", 1)
    assert after(DYNAMIC, "m", 1, "Bob", before="b") == ("a", 2)
    assert after(DYNAMIC, "b", 3) is None
    assert after(DYNAMIC, "b", 1, "All is DONE!") is None
    assert after(DYNAMIC, "m", 1, "DONE!") is None
    assert "Bob" not in question(DYNAMIC, options(DYNAMIC, names=NAMES, before="b"))


@pytest.mark.rule("FIX-64")
@pytest.mark.parametrize(
    ("reply", "agent_id"),
    [
        ("ann lee", "c"),
        ("**Bob**.", "b"),
        ("Ann", "a"),
        ("I think Ann Lee, because Bob has spoken.", "c"),
        ("Bobby knows, but ask Bob.", "b"),
        ("Annabel", "a"),
        ("nobody at all", "a"),
    ],
)
def test_a_name_is_the_whole_reply_or_whole_words_of_it(reply: str, agent_id: str) -> None:
    assert named(reply, NAMES) == agent_id


@pytest.mark.rule("G7")
@given(st.text())
def test_whatever_the_manager_says_somebody_is_next(reply: str) -> None:
    assert named(reply, NAMES) in NAMES


@pytest.mark.rule("G8")
def test_a_manager_answers_for_its_group_and_an_empty_one_has_nobody() -> None:
    led = replace(GROUP, manager_type="supervisor", manager_agent_id="m")
    assert first_turn(led) == ("m", None)
    assert after(led, "m", 1) is None
    with pytest.raises(Invalid):
        first_turn(replace(GROUP, agent_ids=()))


@pytest.mark.rule("G14")
@given(st.integers(1, 20), st.integers(0, 60))
def test_the_first_turn_is_followed_and_then_every_nth(frequency: int, turns: int) -> None:
    group = replace(GROUP, sleeptime_agent_frequency=frequency, turns_counter=-1)
    due: list[bool] = []
    for _ in range(turns):
        group, now = turned(group)
        due.append(now)
    assert due == [n % frequency == 0 for n in range(turns)]
    assert turned(replace(group, sleeptime_agent_frequency=None)) == (
        replace(group, sleeptime_agent_frequency=None),
        True,
    )
