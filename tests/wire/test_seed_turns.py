"""The shared functions that make the messages of a step (agent S32 to S39, S64, S65)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eunoe.domain.messages import OmittedReasoning, Part, Reasoning, Text
from eunoe.domain.tools import ToolResult
from eunoe.domain.views import views
from eunoe.domain.window import cleaned
from eunoe.http.seed import create_approval_request_message_from_llm_response
from eunoe.ids import is_id
from eunoe.wire.seed_records import CallRecord, FunctionCall, Record, stored
from tests.wire.said import AGENT, AT, MESSAGE, RUN, STEP
from tests.wire.turns import arguments, call_of, is_now, packed, step

BEFORE = "message-00000000-0000-4000-8000-0000000000fe"


def asked(name: str, call_id: str) -> CallRecord:
    return CallRecord(id=call_id, function=FunctionCall(name=name, arguments="{}"))


def request(**changes: Any) -> list[Record]:
    given: dict[str, Any] = {
        "agent_id": AGENT,
        "model": "m",
        "function_name": "wipe",
        "function_arguments": {"all": True},
        "tool_call_id": "call_1",
        "actor": None,
        "step_id": STEP,
        "run_id": RUN,
    }
    return create_approval_request_message_from_llm_response(**{**given, **changes})


@pytest.mark.rule("S32", "S34", "S35")
def test_a_request_for_approval() -> None:
    thought = (Text(text=""), Reasoning(text="Hm."))
    (made,) = request(reasoning_content=thought)
    assert (made.role, made.content) == ("approval", thought)
    assert (made.agent_id, made.model, made.step_id, made.run_id) == (AGENT, "m", STEP, RUN)
    call = call_of(made)
    assert (call.id, call.type, call.function.name) == ("call_1", "function", "wipe")
    assert json.loads(call.function.arguments) == {"all": True}
    assert made.tool_call_id == "call_1"
    assert made.otid == made.id
    assert made.created_at.utcoffset() == timedelta(0)
    assert request()[0].content == ()


@pytest.mark.rule("S32")
def test_calls_that_need_no_approval_stand_before_the_request() -> None:
    thought = (Reasoning(text="Hm."),)
    free, made = request(
        function_name=None,
        requested_tool_calls=[asked("wipe", "1"), asked("burn", "2")],
        allowed_tool_calls=[asked("look", "3")],
        reasoning_content=thought,
    )
    assert (free.role, free.content, free.tool_call_id) == ("assistant", thought, "3")
    assert [call.id for call in made.tool_calls or ()] == ["1", "2"]
    assert (made.content, made.tool_call_id) == ((), "1")
    assert free.step_id == made.step_id == STEP


@pytest.mark.rule("S33")
def test_arguments_of_a_request_are_the_models_own() -> None:
    own = {"all": True}
    (made,) = request(function_arguments=own, continue_stepping=True)
    assert arguments(made) == own == {"all": True}
    (made,) = request(function_arguments=own, continue_stepping=True, append_request_heartbeat=True)
    assert arguments(made) == {"all": True, "request_heartbeat": True}
    assert own == {"all": True}


@pytest.mark.rule("S36")
def test_a_request_has_the_id_before_its_messages() -> None:
    (made,) = request(pre_computed_assistant_message_id=MESSAGE)
    assert made.id == made.otid == BEFORE
    free, made = request(
        allowed_tool_calls=[asked("look", "3")], pre_computed_assistant_message_id=MESSAGE
    )
    assert (free.id, made.id) == (MESSAGE, BEFORE)
    assert is_id("message", request()[0].id)


@pytest.mark.rule("S37a", "S38a")
@pytest.mark.parametrize(
    ("changes", "roles"),
    [
        ({"continue_stepping": True}, ["assistant", "tool", "user"]),
        ({}, ["assistant", "tool"]),
        ({"tool_execution_result": None}, ["assistant"]),
        ({"is_approval_response": True}, ["tool"]),
        ({"function_name": None, "tool_execution_result": None}, []),
    ],
)
def test_what_a_step_makes_in_order(changes: dict[str, Any], roles: list[str]) -> None:
    assert [one.role for one in step(**changes)] == roles


@pytest.mark.rule("S37b")
def test_an_approved_call_is_not_shown_again() -> None:
    made = step(
        is_approval_response=True, continue_stepping=True, reasoning_content=[Text(text="Hm.")]
    )
    assert [one.role for one in made] == ["tool", "user"]


@pytest.mark.rule("S37c", "S37d")
@pytest.mark.parametrize("on", [True, False])
def test_the_decision_is_written_into_the_arguments(*, on: bool) -> None:
    own: dict[str, Any] = {"at": "it", "request_heartbeat": "maybe"}
    assistant, *_ = step(function_arguments=own, continue_stepping=on)
    assert arguments(assistant) == own == {"at": "it", "request_heartbeat": on}
    call = call_of(assistant)
    assert (call.id, call.type, call.function.name) == ("call_1", "function", "look")
    own = {"at": "it"}
    assistant, *_ = step(function_arguments=own, force_set_request_heartbeat=False)
    assert arguments(assistant) == own == {"at": "it"}


@pytest.mark.rule("S37e")
def test_only_texts_that_are_empty_and_unsigned_are_left_out() -> None:
    kept: list[Part] = [
        Reasoning(text=""),
        Text(text=" "),
        Text(text="", signature="s"),
        OmittedReasoning(),
        Text(text="said"),
    ]
    assistant, *_ = step(reasoning_content=[Text(text=""), *kept, Text(text="")])
    assert list(assistant.content) == kept
    assert step(reasoning_content=None)[0].content == ()


@pytest.mark.rule("S37f")
def test_the_message_of_a_call() -> None:
    assistant, *_ = step()
    assert (assistant.role, assistant.agent_id, assistant.model) == ("assistant", AGENT, "m")
    assert (assistant.tool_call_id, assistant.run_id) == ("call_1", RUN)
    assert assistant.batch_item_id == "batch-1"
    assert assistant.created_at <= datetime.now(UTC)


@pytest.mark.rule("S37g")
def test_a_step_of_text_alone() -> None:
    plain = {"function_name": None, "tool_execution_result": None, "tool_call_id": None}
    (made,) = step(**plain, reasoning_content=[Text(text="Hello.")])
    assert made.content == (Text(text="Hello."),)
    assert (made.tool_calls, made.tool_call_id) == (None, None)
    assert step(**plain, reasoning_content=[Text(text="")]) == []


@pytest.mark.rule("S37h")
def test_an_id_chosen_beforehand_is_the_assistants() -> None:
    assistant, tool = step(pre_computed_assistant_message_id=MESSAGE)
    assert assistant.id == MESSAGE != tool.id
    (tool,) = step(pre_computed_assistant_message_id=MESSAGE, is_approval_response=True)
    assert tool.id != MESSAGE


@pytest.mark.rule("S38b", "S38c", "S38d")
@pytest.mark.parametrize("ok", [True, False])
def test_the_message_of_a_return(*, ok: bool) -> None:
    result = ToolResult(ok=ok, output="ignored", stdout=("o",))
    _, tool = step(tool_execution_result=result, function_call_success=not ok)
    body = packed(tool)
    assert list(body) == ["status", "message", "time"]
    assert (body["status"], body["message"]) == ("OK" if ok else "Failed", "seen")
    assert is_now(body["time"])
    assert (tool.role, tool.name, tool.tool_calls, tool.tool_call_id) == (
        "tool",
        "look",
        (),
        "call_1",
    )
    assert (tool.batch_item_id, tool.run_id) == ("batch-1", RUN)
    (returned,) = tool.tool_returns
    assert (returned.tool_call_id, returned.status) == ("call_1", "success" if ok else "error")
    assert (returned.stdout, returned.stderr) == (["o"], None)
    (part,) = tool.content
    assert isinstance(part, Text)
    assert returned.func_response == part.text


@pytest.mark.rule("S39a")
@pytest.mark.parametrize(
    ("goes_on", "wanted", "beats"), [(True, True, 1), (True, False, 0), (False, True, 0)]
)
def test_a_heartbeat_only_where_it_goes_on(*, goes_on: bool, wanted: bool, beats: int) -> None:
    made = step(continue_stepping=goes_on, add_heartbeat_on_continue=wanted)
    assert [one.role for one in made].count("user") == beats


@pytest.mark.rule("S39b", "S39c", "S39d")
def test_what_is_stamped_on_which() -> None:
    assistant, tool, beat = step(continue_stepping=True, heartbeat_reason="Because.")
    assert (beat.agent_id, beat.model) == (AGENT, "m")
    assert packed(beat)["reason"] == "Because."
    assert [one.batch_item_id for one in (assistant, tool, beat)] == ["batch-1", "batch-1", None]
    assert {one.step_id for one in (assistant, tool, beat)} == {STEP}
    assert {one.run_id for one in (assistant, tool, beat)} == {RUN}
    assert {one.step_id for one in step(continue_stepping=True, step_id=None)} == {None}


@pytest.mark.rule("S64", "S65")
def test_records_are_made_and_can_be_stored_as_messages() -> None:
    records = step(continue_stepping=True)
    assert all(is_id("message", one.id) for one in records)
    assert all(one.created_at.utcoffset() == timedelta(0) for one in records)
    messages = [stored(replace(one, created_at=AT)) for one in records]
    assistant, tool, beat = cleaned(messages, context_window=128_000)
    assert [call.id for call in assistant.calls] == ["call_1"]
    (returned,) = tool.returns
    assert (returned.call_id, returned.ok, returned.output) == ("call_1", True, "seen")
    assert [view.body.type for one in messages for view in views(one)] == [
        "called",
        "returned",
        "user",
    ]
    assert beat.role == "user"
