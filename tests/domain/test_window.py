"""What is sent to a model of what is stored."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.messages import (
    Image,
    Json,
    Message,
    OmittedReasoning,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
    text_of,
)
from eunoe.domain.pairing import MALFORMED_KEY, UNKNOWN_OUTCOME
from eunoe.domain.tools import ToolSchema
from eunoe.domain.window import (
    IMAGE_TOKENS,
    call_ids,
    cleaned,
    estimate_tokens,
    packaged,
    return_char_limit,
    settled_upto,
    thinks,
)
from tests.domain.conversations import TIME, call, config, histories, later, message, result, texts


def clean(*messages: Message, context_window: int = 30_000) -> list[Message]:
    return list(cleaned(later(messages), context_window=context_window))


def roles(messages: Sequence[Message]) -> list[str]:
    return [each.role for each in messages]


# The envelope of a return


@pytest.mark.rule("S48")
def test_a_return_is_packaged() -> None:
    assert packaged(result("1", "vrai été")) == (
        f'{{\n  "status": "OK",\n  "message": "vrai été",\n  "time": "{TIME}"\n}}'
    )
    failed = json.loads(packaged(result("1", {"a": ["x\x00y", {"b\x00": 1}]}, ok=False)))
    assert failed == {"status": "Failed", "message": {"a": ["xy", {"b": 1}]}, "time": TIME}
    assert list(failed) == ["status", "message", "time"]


# Who takes part


@pytest.mark.rule("P5")
def test_a_reply_of_thoughts_alone_is_left_out() -> None:
    thoughts = [
        Reasoning(text="hm"),
        RedactedReasoning(data="x"),
        OmittedReasoning(),
        SummarizedReasoning(id="rs_1", summary=("a",)),
    ]
    said = [message("", "user", "hi"), message("", "assistant", *thoughts)]
    assert roles(clean(*said)) == ["user"]
    spoken = message("", "assistant", *thoughts, "hello")
    assert clean(said[0], spoken)[1].content == spoken.content


@pytest.mark.rule("P5")
def test_a_pending_approval_is_left_out_with_its_step() -> None:
    said = [
        message("", "user", "hi"),
        message("", "assistant", "both", calls=[call("a")], step_id="step-1"),
        message("", "approval", calls=[call("b")], step_id="step-1"),
    ]
    assert roles(clean(*said)) == ["user"]
    assert roles(clean(said[0], said[2])) == ["user"]
    other_step = replace(said[1], calls=(), step_id="step-0")
    assert roles(clean(said[0], other_step, said[2])) == ["user", "assistant"]


@pytest.mark.rule("P6", "FIX-21")
def test_a_decided_approval_is_one_message_with_its_step() -> None:
    sent = clean(
        message("", "user", "hi"),
        message("", "assistant", "both", calls=[call("a")], step_id="step-1"),
        message("", "approval", calls=[call("b")], step_id="step-1"),
        message("", "approval"),
        message("", "tool", returns=[result("b", "second"), result("a", "first")]),
    )
    assert roles(sent) == ["user", "assistant", "tool"]
    assert [each.id for each in sent[1].calls] == ["a", "b"]
    assert [each.output for each in sent[2].returns] == ["first", "second"]


@pytest.mark.rule("P6")
def test_an_approval_of_its_own_step_is_an_assistant_message() -> None:
    sent = clean(
        message("", "approval", "may I?", calls=[call("b")], step_id="step-1"),
        message("", "approval", returns=[result("b", "from the client")]),
    )
    assert roles(sent) == ["assistant", "tool"]
    assert sent[1].returns[0].output == "from the client"


@pytest.mark.rule("C21")
def test_a_summary_is_sent_as_a_user_message() -> None:
    sent = clean(message("", "system", "s"), message("", "summary", "before"))
    assert roles(sent) == ["system", "user"]
    assert text_of(sent[1]) == "before"


@pytest.mark.rule("L26", "FIX-6")
def test_without_reasoning_only_reasoning_is_left_out() -> None:
    said = later(
        [
            message("", "assistant", Reasoning(text="hm"), "text", calls=[call("a")]),
            message("", "tool", returns=[result("a")]),
        ]
    )
    sent = cleaned(said, context_window=8_000, keep_reasoning=False)
    assert sent[0].content == (Text(text="text"),)
    assert sent[0].calls == said[0].calls
    assert thinks(config())
    off = replace(config(), enable_reasoner=False)
    assert not thinks(off)
    assert thinks(replace(off, max_reasoning_tokens=1_024))


# What is called and what comes back


@pytest.mark.rule("P7")
def test_of_duplicates_in_one_reply_the_first_stays() -> None:
    sent = clean(
        message("", "assistant", calls=[call("a", '{"n": 1}'), call("a", '{"n": 2}')]),
        message("", "tool", returns=[result("a", "one"), result("a", "two")]),
        message("", "tool", returns=[result("a", "three")]),
    )
    assert roles(sent) == ["assistant", "tool"]
    assert [each.arguments for each in sent[0].calls] == ['{"n": 1}']
    assert [each.output for each in sent[1].returns] == ["one"]


@pytest.mark.rule("P7")
def test_an_id_that_comes_again_is_another_call() -> None:
    sent = clean(
        message("", "assistant", calls=[call("call_0")]),
        message("", "tool", returns=[result("call_0", "one")]),
        message("", "assistant", calls=[call("call_0")]),
        message("", "tool", returns=[result("call_0", "two")]),
    )
    ids = [each.id for m in sent for each in m.calls]
    assert ids == ["call_0", "call_0-2"]
    assert [(r.call_id, r.output) for m in sent for r in m.returns] == [
        ("call_0", "one"),
        ("call_0-2", "two"),
    ]


@pytest.mark.rule("P8")
@pytest.mark.parametrize(
    ("given_id", "sent_id"),
    [
        ("call_ABC-1", "call_ABC-1"),
        ("x" * 40, "x" * 29),
        ("call:1/é z", "call1z"),
        ("…", "call"),
        ("", "call"),
    ],
)
def test_ids_are_short_and_plain_on_both_sides(given_id: str, sent_id: str) -> None:
    sent = clean(
        message("", "assistant", calls=[call(given_id)]),
        message("", "tool", returns=[result(given_id)]),
    )
    assert sent[0].calls[0].id == sent[1].returns[0].call_id == sent_id


def test_a_call_without_a_return_gets_one_of_unknown_outcome() -> None:
    sent = clean(
        message("", "assistant", calls=[call("a"), call("b")]),
        message("", "tool", returns=[result("b", "known")]),
        message("", "user", "go on"),
        message("", "assistant", "x", calls=[call("c")]),
    )
    assert roles(sent) == ["assistant", "tool", "user", "assistant", "tool"]
    unknown, known = sent[1].returns
    assert (unknown.call_id, unknown.ok, unknown.output) == ("a", False, UNKNOWN_OUTCOME)
    assert known.output == "known"
    assert sent[4].returns[0].output == UNKNOWN_OUTCOME


def test_a_return_without_its_call_is_left_out() -> None:
    assert roles(clean(message("", "tool", returns=[result("a")]), message("", "user", "x"))) == [
        "user"
    ]


def test_a_return_that_came_late_stands_right_after_its_call() -> None:
    sent = clean(
        message("", "assistant", calls=[call("a")]),
        message("", "user", "meanwhile"),
        message("", "tool", returns=[result("a")]),
    )
    assert roles(sent) == ["assistant", "tool", "user"]


@pytest.mark.rule("P9")
@pytest.mark.parametrize("raw", ["{not json", "[1, 2]", '"text"', "7", '{"a": NaN}', "null"])
def test_arguments_that_are_no_object_are_sent_as_one(raw: str) -> None:
    sent = clean(message("", "assistant", calls=[call("a", raw)]))
    assert json.loads(sent[0].calls[0].arguments) == {MALFORMED_KEY: raw}


def test_good_arguments_are_sent_as_they_were_written() -> None:
    raw = '{ "b": 1,"a" : "é" }'
    assert clean(message("", "assistant", calls=[call("a", raw)]))[0].calls[0].arguments == raw
    assert clean(message("", "assistant", calls=[call("a", "")]))[0].calls[0].arguments == "{}"


@pytest.mark.rule("P10")
def test_lone_surrogates_are_left_out_everywhere() -> None:
    bad = "x\ud83dy"
    sent = clean(
        message("", "user", bad),
        message(
            "",
            "assistant",
            Reasoning(text=bad),
            SummarizedReasoning(id="1", summary=(bad,)),
            bad,
            calls=[call("a", '{"q": "x\\ud83dy"}'), call("b", f'{{"q": "{bad}"}}')],
        ),
        message("", "tool", returns=[result("a", bad), result("b", {bad: [bad]})]),
    )
    json.dumps([repr(each) for each in sent], ensure_ascii=False).encode()
    assert text_of(sent[0]) == "xy"
    assert [json.loads(each.arguments) for each in sent[1].calls] == [{"q": "xy"}, {"q": "xy"}]
    assert [each.output for each in sent[2].returns] == ["xy", {"xy": ["xy"]}]


def test_a_pair_of_surrogates_in_json_is_one_character() -> None:
    raw = '{"q": "\\ud83d\\ude00"}'
    assert clean(message("", "assistant", calls=[call("a", raw)]))[0].calls[0].arguments == raw


@pytest.mark.rule("P11", "L32")
def test_long_returns_are_cut() -> None:
    assert return_char_limit(4_096) == 5_000
    assert return_char_limit(30_000) == 24_000
    for output in ("x" * 5_001, {"rows": "x" * 6_000}):
        sent = clean(
            message("", "assistant", calls=[call("a")]),
            message("", "tool", returns=[result("a", output)]),
            context_window=4_096,
        )
        text = sent[1].returns[0].output
        assert isinstance(text, str)
        whole = output if isinstance(output, str) else json.dumps(output)
        assert text[:5_000] == whole[:5_000]
        assert f"{len(whole) - 5_000} characters of {len(whole)} are left out" in text
        assert sent[1].id in text
    fitting = clean(
        message("", "assistant", calls=[call("a")]),
        message("", "tool", returns=[result("a", "x" * 5_000)]),
        context_window=4_096,
    )
    assert fitting[1].returns[0].output == "x" * 5_000


# What holds for every history


@given(histories())
@pytest.mark.rule("P7", "P8", "P9")
def test_every_call_is_answered_right_after_it(history: list[Message]) -> None:
    sent = cleaned(history, context_window=8_000)
    ids: list[str] = []
    for at, each in enumerate(sent):
        assert each.role in {"system", "user", "assistant", "tool"}
        if each.calls:
            answers = [r.call_id for r in sent[at + 1].returns]
            assert answers == [c.id for c in each.calls]
            ids += answers
            assert all(isinstance(json.loads(c.arguments), dict) for c in each.calls)
        if each.role == "tool":
            assert sent[at - 1].calls
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,29}", each) for each in ids)


@given(histories())
def test_cleaning_what_is_clean_changes_nothing(history: list[Message]) -> None:
    once = cleaned(history, context_window=8_000)
    assert cleaned(once, context_window=8_000) == once


@given(histories(), histories(min_turns=1))
def test_a_longer_history_begins_as_the_shorter_did(
    history: list[Message], more: list[Message]
) -> None:
    """So that the provider's prompt cache hits; and piece by piece gives the same."""
    both = later(history + more)
    before, rest = both[: len(history)], both[len(history) :]
    head = cleaned(before, context_window=8_000)
    whole = cleaned(both, context_window=8_000)
    assert whole[: len(head)] == head
    assert head + cleaned(rest, context_window=8_000, taken=call_ids(head)) == whole


@given(histories(min_turns=1), st.booleans())
def test_nothing_is_settled_while_calls_wait(history: list[Message], approval: bool) -> None:
    step = [message("", "assistant", "x", calls=[call("p")], step_id="step-9")]
    if approval:
        step.append(message("", "approval", calls=[call("q")], step_id="step-9"))
    assert settled_upto(history) == len(history)
    waiting = later(history + step)
    assert settled_upto(waiting) == len(history)
    answered = later([*waiting, message("", "tool", returns=[result("p"), result("q")])])
    assert settled_upto(answered) == len(answered)


# Counting


@pytest.mark.rule("FIX-44", "C1")
def test_a_token_is_four_bytes() -> None:
    assert estimate_tokens() == 0
    assert estimate_tokens(system="") == 0
    assert estimate_tokens(system="abcde") == 2
    assert estimate_tokens(system="éé") == 1
    tool = ToolSchema(name="search", description="d" * 400, parameters={"type": "object"})
    assert 110 < estimate_tokens(tools=[tool]) < 150


@given(texts, histories(max_turns=3))
@pytest.mark.rule("FIX-44")
def test_parts_add_up(system: str, history: list[Message]) -> None:
    sent = cleaned(history, context_window=8_000)
    apart = estimate_tokens(system=system) + estimate_tokens(messages=sent)
    assert estimate_tokens(system=system, messages=sent) == apart
    assert apart >= math.ceil(sum(len(text_of(m).encode()) for m in sent) / 4)


def test_an_image_has_a_fixed_price() -> None:
    """Its base64 text says nothing about what a provider charges."""
    small, large = (
        message("", "user", "see", Image(media_type="image/png", data="A" * size))
        for size in (10, 1_000_000)
    )
    assert estimate_tokens(messages=[small]) == estimate_tokens(messages=[large]) > IMAGE_TOKENS


@pytest.mark.parametrize("output", ["x" * 400, {"rows": "x" * 400}])
def test_calls_and_returns_count(output: str | Json) -> None:
    called = message("", "assistant", calls=[call("a", json.dumps({"q": "y" * 400}))])
    assert estimate_tokens(messages=[called]) > 100
    assert estimate_tokens(messages=[message("", "tool", returns=[result("a", output)])]) > 100
