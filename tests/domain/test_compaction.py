"""Which messages make room, and the words that take their place."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain import compaction, summaries
from eunoe.domain.agents import CompactionMode
from eunoe.domain.compaction import Choice
from eunoe.domain.compaction_prompts import default_prompt
from eunoe.domain.compaction_settings import filled, followed
from eunoe.domain.drafts import CompactionPatch
from eunoe.domain.messages import Image, Message, Reasoning, text_of
from eunoe.domain.models import ModelConfig
from eunoe.domain.summaries import Stats
from tests.domain.conversations import TIME, call, histories, later, message, result

SUMMARY = message("s", "summary", summaries.envelope("before", hidden=3, time=TIME, stats=None))


def dialogue(turns: int) -> list[Message]:
    return later([message("", role, f"{role} {n}") for n in range(turns) for role in ROLES])


ROLES = ("user", "assistant")


def always(_: Sequence[Message]) -> bool:
    return True


def never(_: Sequence[Message]) -> bool:
    return False


def places(messages: Sequence[Message], of: Sequence[Message]) -> list[int]:
    return [of.index(each) for each in messages]


# When


@pytest.mark.rule("C6")
def test_a_window_is_full_above_nine_tenths() -> None:
    assert compaction.trigger_tokens(10_001) == 9_000
    assert not compaction.is_full(9_000, context_window=10_001)
    assert compaction.is_full(9_001, context_window=10_001)
    assert not compaction.is_full(None, context_window=10_001)


# Which


@pytest.mark.rule("C12", "FIX-46")
def test_the_first_cut_takes_the_share_itself() -> None:
    said = dialogue(10)
    choice = compaction.oldest(said, keep_from=None, share=0.3, fits=always)
    assert choice is not None
    # 0.3 of 20 is 6; the nearest assistant message at or before it stands at 5.
    assert places(choice.evicted, said) == [0, 1, 2, 3, 4]
    assert choice.kept == tuple(said[5:])


@pytest.mark.rule("C12")
def test_the_share_grows_until_the_rest_fits() -> None:
    said = dialogue(10)
    tried: list[int] = []

    def fits(kept: Sequence[Message]) -> bool:
        tried.append(len(kept))
        return len(kept) < 10

    choice = compaction.oldest(said, keep_from=None, share=0.3, fits=fits)
    assert choice is not None
    assert tried == [15, 13, 11, 9]
    assert choice.kept[0].role == "assistant"


@pytest.mark.rule("C12")
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_where_nothing_fits_there_is_no_cut(share: float) -> None:
    assert compaction.oldest(dialogue(10), keep_from=None, share=share, fits=never) is None


@pytest.mark.rule("C12")
def test_there_is_no_cut_without_an_assistant_message_to_begin_with() -> None:
    said = later([message("", "user", "x")] * 10)
    assert compaction.oldest(said, keep_from=None, share=0.3, fits=always) is None
    assert compaction.oldest([], keep_from=None, share=0.3, fits=always) is None


@pytest.mark.rule("C11")
def test_everything_is_everything() -> None:
    said = [SUMMARY, *dialogue(2)]
    assert compaction.everything(said, keep_from=None) == Choice(evicted=tuple(said), kept=())


@pytest.mark.rule("C13", "H34")
def test_a_pending_approval_stays_with_its_step() -> None:
    said = later(
        [
            message("", "user", "hi"),
            message("", "assistant", "both", calls=[call("a")], step_id="step-1"),
            message("", "approval", calls=[call("b")], step_id="step-1"),
        ]
    )
    choice = compaction.everything(said, keep_from=None)
    assert places(choice.kept, said) == [1, 2]
    alone = compaction.everything([said[0], said[2]], keep_from=None)
    assert alone.kept == (said[2],)


@pytest.mark.rule("C13")
def test_what_was_said_with_a_pending_approval_stays_too() -> None:
    said = later(
        [
            message("", "user", "hi"),
            message("", "assistant", "I would like to", step_id="step-1"),
            message("", "approval", calls=[call("b")], step_id="step-1"),
        ]
    )
    assert places(compaction.everything(said, keep_from=None).kept, said) == [1, 2]


def test_there_is_no_cut_between_a_call_and_a_late_result() -> None:
    said = [
        message("0", "user", "hi"),
        message("1", "assistant", calls=[call("a")]),
        message("2", "assistant", "still waiting"),
        message("3", "tool", returns=[result("a")]),
        message("4", "assistant", "here it is"),
        *dialogue(3),
    ]
    for share in (0.2, 0.3, 0.4):
        choice = compaction.oldest(said, keep_from=None, share=share, fits=always)
        assert choice is not None
        assert choice.kept[0] == said[4]


def test_calls_that_wait_for_their_results_stay() -> None:
    said = later(
        [
            message("", "user", "hi"),
            message("", "assistant", calls=[call("a"), call("b")]),
            message("", "tool", returns=[result("a")]),
        ]
    )
    assert places(compaction.everything(said, keep_from=None).kept, said) == [1, 2]


@pytest.mark.rule("FIX-47")
def test_input_that_is_not_answered_stays() -> None:
    said = [*dialogue(3), message("in-1", "user", "new"), message("in-2", "system", "and this")]
    choice = compaction.everything(said, keep_from="message-in-1")
    assert choice.kept == tuple(said[6:])


@pytest.mark.rule("FIX-47")
def test_input_stays_while_the_steps_it_led_to_may_go() -> None:
    steps = [
        each
        for n in range(5)
        for each in (
            message(f"a{n}", "assistant", calls=[call(f"c{n}")]),
            message(f"t{n}", "tool", returns=[result(f"c{n}")]),
        )
    ]
    said = [*dialogue(2), message("in", "user", "new"), *steps]
    choice = compaction.everything(said, keep_from="message-in")
    assert choice.kept == (said[4],)
    sliding = compaction.oldest(said, keep_from="message-in", share=0.7, fits=always)
    assert sliding is not None
    assert sliding.kept[0] == said[4]
    assert sliding.kept[1].calls[0].id == "c2"


def test_input_with_results_keeps_the_calls_they_answer() -> None:
    said = later(
        [
            message("", "user", "hi"),
            message("", "assistant", calls=[call("a")]),
            message("", "tool", returns=[result("a")]),
        ]
    )
    choice = compaction.everything(said, keep_from=said[2].id)
    assert places(choice.kept, said) == [1, 2]


@pytest.mark.rule("C11")
def test_answered_input_is_history() -> None:
    """Else the question would stand behind a summary that holds its answer."""
    said = dialogue(3)
    assert compaction.everything(said, keep_from=said[4].id).kept == ()


@pytest.mark.rule("FIX-45")
def test_summaries_are_known_by_role_or_by_words() -> None:
    assert compaction.is_summary(SUMMARY)
    legacy = replace(SUMMARY, role="user")
    assert compaction.is_summary(legacy)
    assert not compaction.is_summary(message("x", "user", "hello"))
    assert not compaction.is_summary(replace(SUMMARY, role="assistant"))


@given(histories(min_turns=1), st.data())
def test_no_choice_parts_a_call_from_its_answer(
    history: list[Message], data: st.DataObject
) -> None:
    keep_from = data.draw(st.sampled_from([None, *(each.id for each in history)]))
    share = data.draw(st.floats(0, 1))
    room = data.draw(st.integers(0, len(history)))
    choices = [
        compaction.everything(history, keep_from=keep_from),
        compaction.oldest(
            history, keep_from=keep_from, share=share, fits=lambda kept: len(kept) <= room
        ),
    ]
    for choice in choices:
        if choice is None:
            continue
        gone = {each.id for each in choice.evicted}
        assert [*choice.evicted, *choice.kept] != []
        assert sorted(gone | {each.id for each in choice.kept}) == sorted(m.id for m in history)
        callers: dict[str, str] = {}
        for each in history:
            callers |= {c.id: each.id for c in each.calls}
            for r in each.returns:
                assert (callers[r.call_id] in gone) == (each.id in gone)
        last = history[-1]
        if keep_from is not None and (last.role != "assistant" or last.calls):
            assert keep_from not in gone


# The words


@pytest.mark.rule("C20")
def test_the_envelope_of_a_summary() -> None:
    stats = Stats(
        trigger="post_step_context_check",
        context_tokens_before=9_500,
        context_tokens_after=4_000,
        context_window=10_000,
        messages_count_before=20,
        messages_count_after=9,
    )
    alert = json.loads(
        summaries.envelope("I was asked for tea.", hidden=12, time=TIME, stats=stats)
    )
    assert list(alert) == ["type", "message", "time", "compaction_stats"]
    assert alert["type"] == "system_alert"
    assert "12 earlier messages" in alert["message"]
    assert alert["message"].endswith(
        "The following is a summary of the previous messages:\nI was asked for tea."
    )
    assert alert["compaction_stats"] == {
        "trigger": "post_step_context_check",
        "context_tokens_before": 9_500,
        "context_tokens_after": 4_000,
        "context_window": 10_000,
        "messages_count_before": 20,
        "messages_count_after": 9,
    }
    assert "compaction_stats" not in json.loads(
        summaries.envelope("x", hidden=None, time=TIME, stats=None)
    )


@given(st.text(max_size=50).filter(lambda text: not text.startswith("\n")))
def test_a_summary_comes_out_of_its_envelope_as_it_went_in(summary: str) -> None:
    wrapped = summaries.envelope(summary, hidden=None, time=TIME, stats=None)
    assert summaries.summary_of(message("s", "summary", wrapped)) == summary


def test_a_summary_without_an_envelope_is_its_text() -> None:
    assert summaries.summary_of(message("s", "summary", "plain")) == "plain"
    assert summaries.summary_of(message("s", "summary", "{broken")) == "{broken"


@pytest.mark.rule("C15")
def test_the_transcript() -> None:
    shown = summaries.transcript(
        [
            message("0", "system", "secret instructions"),
            SUMMARY,
            message("1", "user", "look at", Image(media_type="image/png", data="AAAA")),
            message(
                "2", "assistant", Reasoning(text="hm"), "I will", calls=[call("a", '{"q": 1}')]
            ),
            message("3", "tool", returns=[result("a", {"rows": 2}), result("b", "no", ok=False)]),
        ]
    ).split("\n")
    assert shown[0] != shown[-1]
    assert "before" in "\n".join(shown[1:-4])
    assert shown[-6:-1] == [
        "[user] look at",
        "<image>",
        '[assistant] I will -> search({"q": 1})',
        '[tool] search: {"rows": 2}',
        "[tool] search failed: no",
    ]
    assert "secret" not in "\n".join(shown)
    assert "hm" not in "\n".join(shown)


@pytest.mark.rule("C17")
def test_long_returns_are_cut_in_the_transcript() -> None:
    said = [message("1", "tool", returns=[result("a", "x" * 100)])]
    assert "x" * 100 in summaries.transcript(said)
    short = summaries.transcript(said, return_chars=10)
    assert "x" * 10 + "…" in short
    assert "x" * 11 not in short
    assert "90 characters" in short


@given(st.text(max_size=400), st.integers(40, 500))
@pytest.mark.rule("C17")
def test_the_middle_is_cut_to_the_budget(text: str, budget_bytes: int) -> None:
    cut = summaries.middle_cut(text, budget_bytes=budget_bytes)
    if len(text.encode()) <= budget_bytes:
        assert cut == text
        return
    head, _, tail = cut.rpartition("]\n")
    third = budget_bytes * 0.3
    assert text.endswith(tail)
    assert text.startswith(head.rpartition("\n[")[0])
    assert third - 4 <= len(tail.encode()) <= third


@pytest.mark.rule("C9")
def test_clipping() -> None:
    assert summaries.clipped("abcdef", chars=None) == "abcdef"
    assert summaries.clipped("abcdef", chars=6) == "abcdef"
    assert summaries.clipped("abcdef", chars=5) == f"abcde{summaries.CLIPPED}"


def test_a_truncation_shows_both_ends_and_says_what_it_is() -> None:
    said = dialogue(500)
    text = summaries.truncation(said, budget_bytes=2_000)
    assert "No summary could be made" in text
    assert "user 0" in text
    assert "assistant 499" in text
    assert "user 250" not in text
    assert len(text) < 2_500


@pytest.mark.rule("C16")
def test_each_mode_has_instructions_of_its_own() -> None:
    modes: list[CompactionMode] = [
        "all",
        "sliding_window",
        "self_compact_all",
        "self_compact_sliding_window",
    ]
    prompts = {mode: default_prompt(mode) for mode in modes}
    assert len(set(prompts.values())) == 4
    for mode, prompt in prompts.items():
        assert ("next step" in prompt) is mode.endswith("all")
        assert ("500 words" if mode.endswith("all") else "300 words") in prompt
        assert ("call no tool" in prompt) is mode.startswith("self")


def test_a_summary_message_is_readable_text() -> None:
    assert "before" in text_of(SUMMARY)


@pytest.mark.rule("C9")
def test_a_default_summariser_goes_with_the_provider_and_a_chosen_one_stays() -> None:
    def model(provider: str) -> ModelConfig:
        handle = f"{provider}/m"
        return ModelConfig(handle=handle, model="m", provider_type="openai", provider_name=provider)

    ours, theirs, other = model("openai"), model("anthropic"), model("vllm")
    default = filled(None, model=ours)
    moved = followed(default, before=ours, after=theirs)
    assert moved == replace(default, model="anthropic/claude-haiku-4-5")
    assert followed(moved, before=theirs, after=other).model == "vllm/m"
    chosen = filled(CompactionPatch(changes={"model": "openai/gpt-4.1"}), model=ours)
    assert followed(chosen, before=ours, after=theirs) == chosen
