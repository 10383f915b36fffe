"""Making a window smaller: what goes, what stays, and what stands in its place."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eunoe.domain.agents import CompactionMode
from eunoe.domain.messages import text_of
from eunoe.domain.summaries import CLIPPED, MARKER
from eunoe.domain.window import cleaned
from eunoe.engine.compact import OVERFLOW
from eunoe.errors import ContextOverflow, EunoeError, ModelRateLimited, SystemPromptTooLarge
from tests.domain.conversations import AT, message
from tests.engine.compacting import CHECK, MODES, Summariser, after, dialogue, done, window

pytestmark = pytest.mark.anyio


@pytest.mark.rule("C12", "C20")
async def test_sliding_window() -> None:
    seen = window(dialogue(20))
    model = Summariser("They talked.")
    made = await done(seen, model, estimate=1_900)
    assert made is not None
    assert made.text == "They talked."
    assert 0 < len(made.evicted) < 40
    assert made.evicted == tuple(m.id for m in seen.messages[: len(made.evicted)])
    assert made.tokens_after < 1_800
    assert made.summary.role == "summary"
    alert = json.loads(text_of(made.summary))
    assert alert["type"] == "system_alert"
    assert f"{len(made.evicted)} earlier messages" in alert["message"]
    assert alert["message"].endswith(f"{MARKER}\nThey talked.")
    assert alert["time"] == "2026-03-01 09:05:00 AM UTC+0000"
    assert alert["compaction_stats"] == {
        "trigger": CHECK,
        "context_tokens_before": 1_900,
        "context_tokens_after": made.tokens_after,
        "context_window": 2_000,
        "messages_count_before": 41,
        "messages_count_after": 42 - len(made.evicted),
    }


@pytest.mark.rule("C11")
async def test_all() -> None:
    seen = window(dialogue(5), mode="all")
    made = await done(seen, Summariser("Short."))
    assert made is not None
    assert made.evicted == tuple(m.id for m in seen.messages)
    assert made.stats.messages_count_after == 2


@pytest.mark.rule("C19")
async def test_a_second_pass_sums_up_the_rest() -> None:
    """The first summary is itself too long for the window."""
    seen = window(dialogue(20))
    model = Summariser("word " * 1_600, "Short.")
    made = await done(seen, model)
    assert made is not None
    assert made.text == "Short."
    assert made.evicted == tuple(m.id for m in seen.messages)
    assert len(model.requests) == 2
    assert "[summary]" in text_of(model.requests[1].messages[-1])


@pytest.mark.rule("C19")
async def test_a_summary_that_stays_too_long_is_cut_to_leave_room() -> None:
    model = Summariser("word " * 5_000)
    made = await done(window(dialogue(20), clip_chars=None), model)
    assert made is not None
    assert len(model.requests) == 2
    assert made.text.endswith(CLIPPED)
    assert len(made.text) == 1_000 + len(CLIPPED)
    assert made.tokens_after < 1_000


@pytest.mark.rule("C19", "L33")
async def test_a_system_prompt_that_fills_the_window_is_an_error() -> None:
    seen = window(dialogue(5), system="word " * 2_000)
    model = Summariser("x")
    for trigger, estimate in ((OVERFLOW, None), (OVERFLOW, 100), (CHECK, 2_100)):
        with pytest.raises(SystemPromptTooLarge):
            await done(seen, model, trigger=trigger, estimate=estimate)
    assert model.requests == []
    assert await done(seen, model, trigger=CHECK, estimate=1_950), "the provider took it"


@pytest.mark.rule("C23")
async def test_asked_for_by_hand_it_has_no_stats_in_the_envelope() -> None:
    made = await done(window(dialogue(20)), Summariser("x"), trigger=None)
    assert made is not None
    assert "compaction_stats" not in json.loads(text_of(made.summary))
    assert (made.stats.messages_count_before, made.stats.trigger) == (41, "manual")


@pytest.mark.rule("C23")
async def test_where_nothing_can_go_nobody_is_asked() -> None:
    model = Summariser("x")
    first = await done(window(dialogue(5), mode="all"), model)
    assert first is not None
    waiting = message("in", "user", "new")
    for messages in ([], [first.summary], [waiting], [first.summary, waiting]):
        seen = window(messages, mode="all")
        assert await done(seen, model, keep_from="message-in") is None
    assert len(model.requests) == 1


@pytest.mark.rule("FIX-47", "C22")
@pytest.mark.parametrize("mode", MODES)
async def test_after_an_overflow_the_new_input_stands_behind_the_summary(
    mode: CompactionMode,
) -> None:
    seen = window([*dialogue(20), message("in", "user", "the new question")], mode=mode)
    made = await done(seen, Summariser("x"), trigger=OVERFLOW, keep_from="message-in")
    assert made is not None
    left = after(seen, made)
    assert left[0] == made.summary
    assert left[-1] == seen.messages[-1]


async def test_a_second_overflow_in_one_turn_leaves_the_least() -> None:
    question = replace(
        message("in", "user", "the new question"), created_at=AT - timedelta(seconds=1)
    )
    seen = window([*dialogue(20), question])
    first = await done(seen, Summariser("x"), trigger=OVERFLOW, keep_from="message-in")
    assert first is not None
    again = replace(seen, messages=tuple(after(seen, first)))
    assert len(again.messages) > 10
    second = await done(again, Summariser("y"), trigger=OVERFLOW, keep_from="message-in")
    assert second is not None
    assert after(again, second) == [second.summary, question]


async def test_a_provider_that_counts_more_than_we_do_is_believed() -> None:
    """Else the window would be full again at once."""
    seen = window(dialogue(20))
    ours = await done(seen, Summariser("x"))
    theirs = await done(seen, Summariser("x"), estimate=1_950)
    assert ours is not None
    assert theirs is not None
    assert len(theirs.evicted) > len(ours.evicted)


@settings(max_examples=60, deadline=None)
@given(
    turns=st.integers(1, 30),
    words=st.integers(1, 60),
    mode=st.sampled_from(MODES),
    answers=st.lists(
        st.sampled_from(["", "A summary.", "word " * 400])
        | st.builds(ModelRateLimited)
        | st.builds(ContextOverflow),
        min_size=1,
        max_size=4,
    ),
    trigger=st.sampled_from([CHECK, OVERFLOW, None]),
    share=st.floats(0, 1),
    waiting=st.booleans(),
)
async def test_it_always_ends_with_a_smaller_window(
    turns: int,
    words: int,
    mode: CompactionMode,
    answers: list[str | EunoeError],
    trigger: str | None,
    share: float,
    waiting: bool,
) -> None:
    said = dialogue(turns, words=words)
    if waiting:
        said.append(message("in", "user", "the new question"))
    seen = window(said, mode=mode, sliding_window_percentage=share)
    model = Summariser(*answers)
    made = await done(seen, model, trigger=trigger, keep_from="message-in")
    assert made is not None
    assert len(model.requests) <= 12
    assert set(made.evicted) <= {m.id for m in said}
    assert "message-in" not in made.evicted
    left = after(seen, made)
    assert len(left) <= len(said)
    if not waiting:
        assert len(left) < len(said)
    sent = cleaned([seen.system, *left], context_window=2_000)
    assert [m.role for m in sent][:2] == ["system", "user"]
