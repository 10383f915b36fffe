"""Asking for a summary a model that may fail, overflow or have nothing to say."""

from dataclasses import replace

import pytest

from eunoe.domain.agents import CompactionMode
from eunoe.domain.messages import text_of
from eunoe.domain.summaries import CLIPPED
from eunoe.domain.window import cleaned, estimate_tokens
from eunoe.engine.compact import OVERFLOW
from eunoe.errors import (
    ContextOverflow,
    EunoeError,
    ModelOverloaded,
    ModelRateLimited,
    ModelTimedOut,
    ModelUnknown,
)
from tests.domain.conversations import call, config, later, message, result
from tests.engine.compacting import MODES, TOOL, Summariser, dialogue, done, window

pytestmark = pytest.mark.anyio


@pytest.mark.rule("C15", "C16", "C18")
async def test_the_summariser_sees_the_transcript_of_what_goes() -> None:
    seen = window(dialogue(20), prompt_acknowledgement=True)
    model = Summariser("They talked.")
    thinking = replace(config(), enable_reasoner=True, max_reasoning_tokens=2_000)
    made = await done(seen, model, summariser_config=thinking)
    assert made is not None
    (request,) = model.requests
    assert [m.role for m in request.messages] == ["system", "assistant", "user"]
    assert "300 words" in text_of(request.messages[0])
    transcript = text_of(request.messages[2])
    assert "[user] user 0 " in transcript
    assert seen.messages[len(made.evicted)].content[0] not in request.messages[2].content
    assert f"assistant {len(made.evicted) // 2} " not in transcript
    assert request.tools == ()
    assert not request.config.enable_reasoner
    assert request.config.max_reasoning_tokens == 0


async def test_a_prompt_of_ones_own_is_used() -> None:
    model = Summariser("x")
    await done(window(dialogue(20), prompt="In verse, please."), model)
    assert text_of(model.requests[0].messages[0]) == "In verse, please."


@pytest.mark.rule("C14")
async def test_the_agent_itself_sums_up_behind_its_own_prefix() -> None:
    seen = window(dialogue(20), mode="self_compact_all")
    own, other = Summariser("My own words."), Summariser("never asked")
    made = await done(seen, other, own=own)
    assert made is not None
    assert made.text == "My own words."
    assert other.requests == []
    (request,) = own.requests
    sent = cleaned([seen.system, *seen.messages], context_window=2_000)
    assert request.messages[: len(sent)] == sent
    assert [m.role for m in request.messages[len(sent) :]] == ["user"]
    assert "call no tool" in text_of(request.messages[-1])
    assert request.tools == (TOOL,)
    assert request.config == seen.agent.model


@pytest.mark.rule("C14")
async def test_a_filler_stands_before_the_instructions_where_no_assistant_spoke_last() -> None:
    said = later(
        [
            message("", "user", "hi"),
            message("", "assistant", calls=[call("a")]),
            message("", "tool", returns=[result("a")]),
        ]
    )
    own = Summariser("Mine.")
    await done(window(said, mode="self_compact_all"), own)
    assert [m.role for m in own.requests[0].messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


@pytest.mark.rule("C14")
async def test_the_agent_is_asked_for_less_and_then_the_summariser_for_all() -> None:
    seen = window(dialogue(20), mode="self_compact_all")
    own, other = Summariser(ModelRateLimited()), Summariser("Theirs.")
    made = await done(seen, other, own=own)
    assert made is not None
    whole, sliding = own.requests
    assert len(sliding.messages) < len(whole.messages)
    assert made.text == "Theirs."
    assert made.evicted == tuple(m.id for m in seen.messages)
    assert made.faults == ("llm_rate_limit", "llm_rate_limit")
    assert "500 words" in text_of(other.requests[0].messages[0])


@pytest.mark.rule("C14")
async def test_after_an_overflow_the_agent_is_not_sent_the_whole_again() -> None:
    seen = window(dialogue(20), mode="self_compact_all")
    own = Summariser("Mine.")
    made = await done(seen, own, trigger=OVERFLOW)
    assert made is not None
    assert len(own.requests[0].messages) < len(seen.messages)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "answer", [ModelRateLimited(), ModelUnknown(), ContextOverflow(), "", "   "], ids=repr
)
async def test_without_a_summary_the_messages_are_truncated(
    mode: CompactionMode, answer: str | EunoeError
) -> None:
    seen = window(dialogue(40), mode=mode)
    model = Summariser(answer)
    made = await done(seen, model)
    assert made is not None
    assert "No summary could be made" in made.text
    assert "user 0" in made.text
    assert made.tokens_after < 1_800
    assert len(made.faults) == len(model.requests) <= 2 + 2 + 3


async def test_a_failing_summariser_is_asked_twice() -> None:
    model = Summariser(ModelRateLimited(), "At last.")
    made = await done(window(dialogue(20)), model)
    assert made is not None
    assert (made.text, made.faults) == ("At last.", ("llm_rate_limit",))
    failing = Summariser(ModelRateLimited())
    await done(window(dialogue(20), mode="all"), failing)
    assert len(failing.requests) == 2


@pytest.mark.rule("G-15")
async def test_half_an_answer_is_none() -> None:
    made = await done(window(dialogue(20)), Summariser("They tal", unfinished=True))
    assert made is not None
    assert "No summary could be made" in made.text
    assert made.faults == ("llm_reply_cut", "llm_reply_cut")


@pytest.mark.rule("C17")
async def test_a_summariser_that_overflows_is_shown_less() -> None:
    said = later(
        [
            message("", "user", "hi"),
            message("", "assistant", calls=[call("a")]),
            message("", "tool", returns=[result("a", "HEAD" + "x" * 20_000)]),
            message("", "assistant", "done " * 10_000),
        ]
    )
    seen = window(said, mode="all", context_window=8_000)
    model = Summariser(ContextOverflow(), ContextOverflow(), "Short.")
    made = await done(seen, model, summariser_config=config(context_window=100_000))
    assert made is not None
    assert made.text == "Short."
    whole, short, _ = (text_of(r.messages[-1]) for r in model.requests)
    assert "x" * 20_000 in whole
    assert "HEAD" + "x" * 4_996 + "…" in short


@pytest.mark.rule("C17")
async def test_a_transcript_that_cannot_fit_is_not_tried() -> None:
    seen = window(dialogue(200), mode="all", context_window=20_000)
    model = Summariser("Short.")
    await done(seen, model, summariser_config=config(context_window=2_000))
    (request,) = model.requests
    assert estimate_tokens(messages=request.messages) < 2_000
    shown = text_of(request.messages[-1])
    assert "user 0 " in shown
    assert "assistant 199 " in shown


@pytest.mark.rule("C9")
async def test_the_summary_is_clipped() -> None:
    made = await done(window(dialogue(20), clip_chars=10), Summariser("0123456789 more"))
    assert made is not None
    assert made.text == f"0123456789{CLIPPED}"


@pytest.mark.rule("P42")
@pytest.mark.parametrize(
    ("fault", "others"), [(ModelOverloaded(), 1), (ModelRateLimited(), 1), (ModelTimedOut(), 2)]
)
async def test_another_model_stands_in_for_one_that_is_busy(fault: EunoeError, others: int) -> None:
    small, own = Summariser(fault, "Late."), Summariser("Mine.")
    elsewhere = replace(config(), handle="anthropic/claude-haiku-4-5")
    made = await done(window(dialogue(20)), small, own=own, summariser_config=elsewhere)
    assert made is not None
    assert made.text == ("Mine." if others == 1 else "Late.")
    assert len(small.requests) == others
    assert [one.config.handle for one in own.requests] == [config().handle] * (2 - others)
