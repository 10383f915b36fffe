"""What a reply shows while it comes in, and what is stored of it in the end."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.events import (
    CallDelta,
    Finished,
    ModelEvent,
    ReasoningDelta,
    ReasoningHidden,
    ReasoningSummary,
    SummaryDelta,
    TextDelta,
)
from eunoe.domain.messages import (
    Message,
    OmittedReasoning,
    Reasoning,
    SummarizedReasoning,
    Text,
    ToolCall,
)
from eunoe.domain.views import Answered, Called, CallFragment, HiddenThought, Thought, views
from eunoe.engine.reply import Reply
from eunoe.ids import new, part_otid

AT = datetime(2026, 1, 2, tzinfo=UTC)


def stored(reply: Reply) -> Message:
    message = reply.message(message_id=new("message"), agent_id="agent-1", model="m", at=AT)
    assert message is not None
    return message


def _summary(number: int, parts: Sequence[str]) -> list[ModelEvent]:
    told: list[ModelEvent] = [
        SummaryDelta(text=("\n\n" if place else "") + part) for place, part in enumerate(parts)
    ]
    sealed = ReasoningSummary(id=f"rs_{number}", summary=tuple(parts), encrypted="sealed")
    return [*told, sealed]


words = st.sampled_from(["a", "b c", " ", "\n"])
said = st.one_of(
    st.lists(words, min_size=1).map(lambda texts: [TextDelta(text=t) for t in texts]),
    words.map(lambda text: [TextDelta(text=text, signature="sig")]),
    st.lists(words, min_size=1).map(lambda texts: [ReasoningDelta(text=t) for t in texts]),
    words.map(lambda text: [ReasoningDelta(text=text), ReasoningDelta(signature="sig")]),
    st.just([ReasoningHidden(state="redacted", data="opaque")]),
    st.just([ReasoningHidden(state="omitted", data="sig")]),
    st.builds(_summary, st.integers(1, 3), st.lists(words, max_size=2)),
)


@pytest.mark.rule("R1", "R2", "FIX-71", "streaming-2.5", "streaming-2.8")
@given(parts=st.lists(said, min_size=1, max_size=6), calls=st.integers(0, 2))
def test_what_is_shown_adds_up_to_what_is_listed(parts: list[list[ModelEvent]], calls: int) -> None:
    reply = Reply()
    made = [CallDelta(index=n, id=f"call_{n}", name="noop", arguments="{}") for n in range(calls)]
    seen: dict[int, list[str]] = {}
    for event in [*(one for part in parts for one in part), *made]:
        for part, body in reply.take(event):
            seen.setdefault(part, []).append(_told(body))
    message = stored(reply)
    listed = {view.otid: _told(view.body) for view in views(message)}
    assert {part_otid(message.id, part): "".join(seen[part]) for part in seen} == listed


def _told(body: object) -> str:
    match body:
        case Answered(text=text) | Thought(text=text):
            return f"{text}"
        case HiddenThought(state=state, data=data):
            return f"{state} {data}"
        case CallFragment(call_id=call_id, name=name, arguments=arguments):
            return f"{call_id} {name} {arguments};"
        case Called(calls=calls):
            return "".join(f"{call.id} {call.name} {call.arguments};" for call in calls)
        case _:
            raise AssertionError(body)


@pytest.mark.rule("L35")
def test_without_parallel_calls_the_first_is_all_that_is_shown_and_kept() -> None:
    reply = Reply(parallel=False)
    pieces = [(0, "a", "{"), (1, "b", "{"), (1, None, "}"), (0, None, "}")]
    events = [CallDelta(index=n, id=of, name=of, arguments=text) for n, of, text in pieces]
    shown = "".join(_told(body) for event in events for _, body in reply.take(event))
    assert shown == "a a {;a None };"
    assert [call.arguments for call in stored(reply).calls] == ["{}"]


@pytest.mark.rule("H2", "H9", "FIX-16")
def test_calls_that_a_model_gave_one_id_are_told_apart() -> None:
    """Or an answer to one of them would decide about another."""
    reply = Reply()
    given = ["x", "x-2", "x", "x"]
    for place, one in enumerate(given):
        reply.take(CallDelta(index=place, id=one, name="noop", arguments="{}"))
    assert [call.id for call in stored(reply).calls] == ["x", "x-2", "x-3", "x-4"]


@pytest.mark.rule("R1", "FIX-71", "FIX-51")
def test_every_signed_thought_is_a_message_of_its_own() -> None:
    reply = Reply()
    for text, signature in (("one", "s1"), ("two", "s2")):
        reply.take(ReasoningDelta(text=text))
        reply.take(ReasoningDelta(signature=signature))
    shown = [view.body for view in views(stored(reply))]
    assert shown == [Thought(text="one", signature="s1"), Thought(text="two", signature="s2")]


@pytest.mark.rule("agent-10.1", "FIX-50")
def test_every_kind_of_part_is_kept_in_order() -> None:
    reply = Reply()
    for event in (
        ReasoningHidden(state="omitted", data="s0"),
        ReasoningDelta(text="Hm.", signature="s1"),
        TextDelta(text="So."),
        SummaryDelta(text="Sum"),
        ReasoningSummary(id="rs_1", summary=("Sum",), encrypted="sealed"),
        TextDelta(text="", signature="s2"),
        CallDelta(index=0, id="call_1", name="noop", arguments="{}"),
        Finished(reason="tool_calls"),
    ):
        reply.take(event)
    reply.check()
    message = stored(reply)
    assert message.content == (
        OmittedReasoning(signature="s0"),
        Reasoning(text="Hm.", signature="s1"),
        Text(text="So."),
        SummarizedReasoning(id="rs_1", summary=("Sum",), encrypted="sealed"),
        Text(text="", signature="s2"),
    )
    assert message.calls == (ToolCall(id="call_1", name="noop", arguments="{}"),)


@pytest.mark.rule("G-15")
def test_a_summary_that_broke_off_is_kept_as_words_without_a_seal() -> None:
    reply = Reply()
    reply.take(SummaryDelta(text="I was thin"))
    assert stored(reply).content == (Reasoning(text="I was thin"),)
