"""Requests for approval, and the answers to them: what fits, what is due, what it comes to."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain import approvals
from eunoe.domain.approvals import Request
from eunoe.domain.messages import (
    Answer,
    ClientReturn,
    Decision,
    Image,
    Message,
    Text,
    ToolCall,
    ToolReturn,
)
from eunoe.errors import ApprovalEmpty, ApprovalIdsWrong, ApprovalRefused, ClientReturnWanted
from eunoe.ids import is_id, new, request_id
from tests.domain.conversations import call, message, result

NAMES = ("free", "gated", "client")
calls = st.lists(
    st.builds(
        ToolCall, id=st.sampled_from("abcdef"), name=st.sampled_from(NAMES), arguments=st.just("{}")
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.id,
)


def reply(*made: ToolCall, text: str = "") -> Message:
    words = [text] if text else []
    said = message("", "assistant", *words, calls=list(made), step_id="step-1")
    return replace(said, id=new("message"), run_id="run-1")


def stored(said: Message) -> tuple[Message, ...]:
    asking, client = frozenset({"gated", "client"}), frozenset({"client"})
    return approvals.requested(
        said, said.calls, gated_by=lambda call: call.name in asking, client=client
    )


def response(*answers: Answer) -> Message:
    said = message("", "approval", step_id="step-1")
    return replace(said, approvals=answers, run_id="run-2", request_id="message-1")


def yes(call_id: str, *, approve: bool = True) -> Decision:
    return Decision(call_id=call_id, approve=approve)


def gives(call_id: str, output: str = "x") -> ClientReturn:
    return ClientReturn(call_id=call_id, ok=True, output=output)


@pytest.mark.rule("H4", "FIX-21", "streaming-2.5")
@given(calls, st.sampled_from(["", "Let me see."]))
def test_what_is_stored_of_a_reply_gives_its_calls_back_in_order(
    made: list[ToolCall], text: str
) -> None:
    said = reply(*made, text=text)
    kept = stored(said)
    request = approvals.pending(kept)
    if all(one.name == "free" for one in made):
        assert request is None
        return
    assert request is not None
    assert [one.id for one in request.calls] == [one.id for one in made]
    assert [one.by_client for one in request.message.calls] == [
        one.name == "client" for one in made if one.name != "free"
    ]
    assert request.message.id == request.message.otid == request_id(said.id)
    assert is_id("message", request.message.id)
    free = [one for one in made if one.name == "free"]
    assert len(kept) == (2 if free or text else 1)
    assert kept[0].content == (said.content if len(kept) == 2 else ())


@pytest.mark.rule("H9", "H10", "FIX-22")
@given(calls, st.data())
def test_answers_fit_exactly_the_calls_that_wait(made: list[ToolCall], data: st.DataObject) -> None:
    request = approvals.pending(stored(reply(*made)))
    if request is None:
        return
    waiting = {one.id: one for one in request.message.calls}
    names = st.sampled_from([*"abcdef", request.message.id])
    drawn = data.draw(
        st.lists(
            st.one_of(st.builds(yes, names, approve=st.booleans()), st.builds(gives, names)),
            max_size=4,
        )
        | st.permutations([gives(one) for one in waiting])
    )
    single = len(waiting) == 1 and [one.call_id for one in drawn] == [request.message.id]
    named = list(waiting) if single else [one.call_id for one in drawn]
    fits = bool(drawn) and sorted(named) == sorted(waiting)
    forced = any(
        isinstance(one, Decision) and one.approve and waiting[call_id].by_client
        for call_id, one in zip(named, drawn, strict=True)
        if call_id in waiting
    )
    if fits and not forced:
        matched = approvals.matched(request, drawn)
        assert {one.call_id for one in matched} == waiting.keys()
        assert (
            approvals.is_repeat(drawn, recent=[*stored(reply(*made)), response(*matched)]) or single
        )
        return
    with pytest.raises(ApprovalRefused) as refused:
        approvals.matched(request, drawn)
    expected = ClientReturnWanted if fits else ApprovalIdsWrong if drawn else ApprovalEmpty
    assert type(refused.value) is expected


FREE, GATED = call("f"), replace(call("g"), name="gated")
KEPT = stored(reply(replace(FREE, name="free"), GATED))
FOLLOWER = replace(message("And more.", "user"), run_id="run-2")
RETURNS = message("", "tool", returns=[result("f"), result("g")])


@pytest.mark.rule("H12", "H13", "FIX-3")
def test_answers_are_due_until_they_were_acted_upon() -> None:
    before = (message("Hello.", "user"), *KEPT)
    assert approvals.due(before) is None
    assert approvals.due((*before, response(yes("g")), RETURNS)) is None
    assert approvals.due((message("Hello.", "user"), response(yes("g")))) is None
    assert approvals.due(()) is None
    for behind in ((), (FOLLOWER,), (FOLLOWER, replace(FOLLOWER, role="assistant"))):
        said = (*before, response(yes("g")), *behind)
        due = approvals.due(said)
        assert due is not None
        assert [one.id for one in due.request.calls] == ["f", "g"]
        assert due.answers == (yes("g"),)
        assert approvals.unfed(said, run_id="run-2") == bool(behind)
        assert approvals.unfed(
            (*said, replace(RETURNS, step_id="step-1", run_id="run-2")), run_id="run-2"
        ) == bool(behind)
        answer = replace(message("Done.", "assistant", step_id="step-2"), run_id="run-2")
        assert not approvals.unfed((*said, RETURNS, answer), run_id="run-2")
    assert not approvals.unfed((*before, FOLLOWER), run_id="run-2")
    told = replace(FOLLOWER, step_id="step-1")  # Said by the loop itself.
    returned = replace(RETURNS, step_id="step-1", run_id="run-2")
    assert not approvals.unfed((*before, response(yes("g")), returned, told), run_id="run-2")


@pytest.mark.rule("H24", "H25")
def test_a_repeat_is_told_by_the_answers_or_by_the_returns() -> None:
    recent = [*KEPT, response(yes("g")), RETURNS]
    assert approvals.is_repeat([gives("g")], recent=recent)
    assert approvals.is_repeat([yes(KEPT[-1].id)], recent=recent)
    assert approvals.is_repeat([yes("g"), yes("f")], recent=[RETURNS])
    assert not approvals.is_repeat([yes("f")], recent=recent)
    assert not approvals.is_repeat([yes("g")], recent=KEPT)


@pytest.mark.rule("H14", "H21", "H30")
def test_what_answers_come_to() -> None:
    parts = (Text(text="See:"), Image(media_type="image/png", data="QUJD"))
    came = approvals.outcomes(
        [
            yes("a"),
            Decision(call_id="b", approve=False, reason="Too late."),
            ClientReturn(call_id="c", ok=False, output="See:", parts=parts, stderr=("oh",)),
        ]
    )
    assert came["a"] is None
    assert (came["b"] and came["b"].ok, came["c"] and came["c"].ok) == (False, False)
    assert "Too late." in str(came["b"] and came["b"].output)
    assert came["c"] is not None
    assert (came["c"].parts, came["c"].stderr) == (parts, ("oh",))
    request = Request(message=KEPT[-1], calls=(FREE, GATED))
    (denied,) = approvals.refused(request, reason="Stopped.")
    assert denied == Decision(call_id="g", approve=False, reason="Stopped.")


@pytest.mark.rule("H15")
@given(st.text(max_size=300), st.integers(50, 200))
def test_a_clients_text_is_cut_with_a_count(text: str, limit: int) -> None:
    plain = approvals.capped(gives("a", text), limit=limit)
    assert isinstance(plain, ClientReturn)
    if len(text) <= limit:
        assert plain.output == text
    else:
        assert plain.output.startswith(text[:limit])
        assert f" {len(text) - limit} characters" in plain.output
    packed = json.dumps({"status": "OK", "message": text}, ensure_ascii=False)
    cut = approvals.capped(gives("a", packed), limit=limit)
    assert isinstance(cut, ClientReturn)
    if len(packed) > limit and len(packed) - len(text) <= limit:
        package = json.loads(cut.output)
        assert package["status"] == "OK"
        assert package["message"].startswith(text[:limit])
    parts = approvals.capped(
        ClientReturn(call_id="a", ok=True, output=text, parts=(Text(text=text),)), limit=limit
    )
    assert isinstance(parts, ClientReturn)
    assert parts.parts == (Text(text=plain.output),)
    assert approvals.capped(yes("a"), limit=1) == yes("a")


@pytest.mark.rule("H13", "P6")
def test_the_model_sees_the_calls_in_its_own_order() -> None:
    made = [
        replace(call(name), name=kind)
        for name, kind in zip("abc", ("gated", "free", "gated"), strict=True)
    ]
    kept = stored(reply(*made))
    returned = [
        ToolReturn(call_id=one.id, name=one.name, ok=True, output=one.id, time="now")
        for one in made
    ]
    tool = message("", "tool", returns=returned)
    sent = approvals.in_order(kept[0].calls + kept[1].calls, kept[1].order)
    assert [one.id for one in sent] == ["a", "b", "c"]
    assert approvals.due((*kept, response(yes("a"), yes("c")), tool)) is None
