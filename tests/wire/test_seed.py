"""The shared functions that make a turn's messages (agent S27 to S48, S64, S65)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.messages import Image, OmittedReasoning, Part, Reasoning, Text
from eunoe.domain.models import ModelConfig
from eunoe.domain.tools import ToolResult
from eunoe.domain.views import views
from eunoe.domain.window import cleaned
from eunoe.http.seed import (
    create_approval_request_message_from_llm_response,
    create_approval_response_message_from_input,
    create_assistant_messages_from_openai_response,
    create_heartbeat_system_message,
    create_input_messages,
    create_letta_messages_from_llm_response,
    get_heartbeat,
    get_login_event,
    package_function_response,
    package_system_message,
    package_user_message,
    unpack_message,
)
from eunoe.ids import is_id
from eunoe.service.images import ImageFetcher
from eunoe.testing.http_server import response, serving
from eunoe.wire.approvals import ApprovalCreate, ApprovalReturn, ToolReturn
from eunoe.wire.content import ImageContent, TextContent, UrlImage
from eunoe.wire.seed_records import (
    CallRecord,
    Decision,
    FunctionCall,
    Record,
    ReturnRecord,
    stored,
)
from eunoe.wire.sends import MessageCreate
from tests.wire.said import AGENT, AT, MESSAGE, RUN, STEP

pytestmark = pytest.mark.anyio

ZONE = "Europe/Rome"
BEFORE = "message-00000000-0000-4000-8000-0000000000fe"
CONFIG = ModelConfig(handle="o/m", model="m", provider_type="openai", provider_name="o")
STATE = AgentState(
    agent=Agent(
        id=AGENT,
        name="Ada",
        agent_type="letta_v1_agent",
        system="",
        model=CONFIG,
        timezone=ZONE,
        created_at=AT,
        updated_at=AT,
    ),
    message_ids=(),
)


def step(**changes: Any) -> list[Record]:
    """Return what one step with a call makes; `changes` are what is special about it."""
    given: dict[str, Any] = {
        "agent_id": AGENT,
        "model": "m",
        "function_name": "look",
        "function_arguments": {"at": "it"},
        "tool_execution_result": ToolResult(ok=True, output="seen", stdout=("out",)),
        "tool_call_id": "call_1",
        "function_call_success": True,
        "function_response": "seen",
        "timezone": ZONE,
        "actor": None,
        "run_id": RUN,
        "step_id": STEP,
        "llm_batch_item_id": "batch-1",
    }
    return create_letta_messages_from_llm_response(**{**given, **changes})


def call_of(record: Record) -> CallRecord:
    assert record.tool_calls is not None
    (call,) = record.tool_calls
    return call


def arguments(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call_of(record).function.arguments)
    return found


def packed(record: Record) -> dict[str, Any]:
    (part,) = record.content
    assert isinstance(part, Text)
    found: dict[str, Any] = json.loads(part.text)
    return found


def is_now(text: str, zone: str = "+0") -> bool:
    return text[-5:].startswith(zone) and text.startswith("20")


# What comes in


@pytest.mark.rule("S27", "S30", "S65")
async def test_inputs_become_messages_as_they_are() -> None:
    user = MessageCreate(
        role="user",
        content='{"not": "wrapped"}',
        name="Bob",
        otid="o",
        sender_id="s",
        group_id="g",
        batch_item_id="b",
    )
    system = MessageCreate(role="system", content="Be brief.")
    made = await create_input_messages([user, system], AGENT, ZONE, RUN, None)
    assert [one.content for one in made] == [
        (Text(text='{"not": "wrapped"}'),),
        (Text(text="Be brief."),),
    ]
    first = made[0]
    assert (first.agent_id, first.role, first.run_id) == (AGENT, "user", RUN)
    assert (first.name, first.otid, first.sender_id) == ("Bob", "o", "s")
    assert (first.group_id, first.batch_item_id) == ("g", "b")
    assert (first.model, first.tool_calls, first.tool_call_id) == (None, None, None)
    assert is_id("message", first.id)
    assert first.id != made[1].id
    assert first.created_at.utcoffset() == timedelta(0)
    assert first.created_at <= datetime.now(UTC)


@pytest.mark.rule("S28")
async def test_content_is_text_or_parts_and_never_empty() -> None:
    parts = [TextContent(text="a"), TextContent(text=""), TextContent(text="b")]
    kept = MessageCreate(role="user", content=[*parts])
    (made,) = await create_input_messages([kept], AGENT, ZONE, RUN, None)
    assert made.content == (Text(text="a"), Text(text=""), Text(text="b"))
    for given in (MessageCreate(role="user", content=""), MessageCreate(role="user", content=[])):
        with pytest.raises(ValueError, match="empty or invalid"):
            await create_input_messages([given], AGENT, ZONE, RUN, None)


@pytest.mark.rule("S29")
async def test_an_image_by_url_is_fetched_and_its_type_told_or_guessed() -> None:
    def answer(request: Any) -> bytes:
        told = "image/webp" if "told" in request.path else "application/octet-stream"
        return response(200, b"\x89PNG", content_type=told)

    fetch = ImageFetcher(allow_private=True)
    async with serving(answer) as url:
        parts = [
            ImageContent(source=UrlImage(url=f"{url}/{name}")) for name in ("told", "guess.png")
        ]
        given = MessageCreate(role="user", content=[*parts])
        (made,) = await create_input_messages([given], AGENT, ZONE, RUN, None, fetch=fetch)
    await fetch.close()
    assert made.content == (
        Image(media_type="image/webp", data="iVBORw=="),
        Image(media_type="image/png", data="iVBORw=="),
    )


@pytest.mark.rule("S29")
async def test_an_input_is_said_by_a_user_the_system_or_the_assistant() -> None:
    (made,) = await create_input_messages(
        [MessageCreate(role="assistant", content="Hi.")], AGENT, ZONE, RUN, None
    )
    assert made.role == "assistant"
    tool: Any = MessageCreate.model_construct(role="tool", content="x")
    with pytest.raises(AssertionError, match="tool"):
        await create_input_messages([tool], AGENT, ZONE, RUN, None)


@pytest.mark.rule("S31")
async def test_an_answer_to_an_approval_request() -> None:
    legacy = ApprovalCreate(approve=False, approval_request_id=MESSAGE, reason="No.", group_id="g")
    (made,) = await create_approval_response_message_from_input(STATE, legacy)
    assert (made.role, made.agent_id, made.model) == ("approval", AGENT, "m")
    assert (made.approval_request_id, made.approve, made.denial_reason) == (MESSAGE, False, "No.")
    assert (made.content, made.step_id, made.run_id, made.group_id) == ((), None, None, "g")
    assert made.approvals == ()
    answers = ApprovalCreate(
        approvals=[
            ApprovalReturn(tool_call_id="1", approve=True),
            ToolReturn(tool_call_id="2", tool_return="seen", status="error", stderr=["e"]),
            ToolReturn(tool_call_id="3", tool_return=[TextContent(text="seen")], status="success"),
        ]
    )
    (made,) = await create_approval_response_message_from_input(STATE, answers, RUN)
    decision, text, parts = made.approvals
    assert (made.run_id, decision) == (RUN, Decision(tool_call_id="1", approve=True))
    assert isinstance(text, ReturnRecord)
    assert isinstance(text.func_response, str)
    assert json.loads(text.func_response)["status"] == "Failed"
    assert (text.status, text.stderr) == ("error", ["e"])
    assert isinstance(parts, ReturnRecord)
    assert parts.func_response == (Text(text="seen"),)


# What the model said


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


# Heartbeats and packaging


@pytest.mark.rule("S40", "S41")
def test_a_heartbeat_is_said_by_a_user() -> None:
    beat = create_heartbeat_system_message(
        AGENT, "m", True, ZONE, llm_batch_item_id="b", run_id=RUN
    )
    assert (beat.role, beat.tool_calls, beat.tool_call_id) == ("user", (), None)
    assert (beat.batch_item_id, beat.run_id, beat.step_id) == ("b", RUN, None)
    body = packed(beat)
    assert list(body) == ["type", "reason", "time"]
    assert body["type"] == "heartbeat"
    assert is_now(body["time"])
    placed = json.loads(get_heartbeat(ZONE, "x", include_location=True, location_name="Rome"))
    assert (list(placed)[-1], placed["location"]) == ("location", "Rome")


@pytest.mark.rule("S42")
def test_why_it_goes_on() -> None:
    def reason(success: bool | None, given: str | None = None) -> str:
        beat = create_heartbeat_system_message(AGENT, "m", success, ZONE, given)
        return str(packed(beat)["reason"])

    assert reason(False, "Because.") == "Because."
    done, failed = reason(True), reason(False, "")
    assert reason(None) == failed != done
    mark = done[: done.index("]") + 1]
    assert mark.startswith("[")
    assert failed.startswith(mark)


@pytest.mark.rule("S43")
def test_what_a_user_said_packed() -> None:
    body = json.loads(package_user_message("Ciao è", ZONE))
    assert list(body) == ["type", "message", "time"]
    assert (body["type"], body["message"]) == ("user_message", "Ciao è")
    body = json.loads(package_user_message("x", ZONE, True, "Rome", "Bob"))
    assert list(body) == ["type", "message", "time", "location", "name"]
    assert (body["location"], body["name"]) == ("Rome", "Bob")
    assert "è" in package_user_message("è", ZONE)
    assert "\n  " in package_user_message("è", ZONE)


@pytest.mark.rule("S44")
def test_a_notice_packed_once() -> None:
    notice = package_system_message("Stop.", ZONE)
    body = json.loads(notice)
    assert list(body) == ["type", "message", "time"]
    assert (body["type"], body["message"]) == ("system_alert", "Stop.")
    assert "\n" not in notice
    assert package_system_message(notice, ZONE) == notice
    other = json.loads(package_system_message(notice, ZONE, "other"))
    assert (other["type"], other["message"]) == ("other", notice)


@pytest.mark.rule("S45")
def test_a_login() -> None:
    body = json.loads(get_login_event(ZONE))
    assert list(body) == ["type", "last_login", "time"]
    assert body["type"] == "login"
    assert "never" in body["last_login"].lower()
    assert json.loads(get_login_event(ZONE, "yesterday"))["last_login"] == "yesterday"


@pytest.mark.rule("S46")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("[1]", "[1]"),
        ("{broken", "{broken"),
        ('{"type": "user_message"}', None),
        ('{"message": "x"}', None),
        ('{"type": "login", "last_login": "x"}', None),
        ('{"type": "system_alert", "message": "x"}', None),
        ('{"type": "user_message", "message": "x"}', "x"),
    ],
)
def test_unpacking_for_people(text: str, shown: str | None) -> None:
    assert unpack_message(text) == (text if shown is None else shown)
    assert unpack_message(package_user_message("Ciao", ZONE)) == "Ciao"


@pytest.mark.rule("S47")
def test_a_plain_answer_becomes_a_call_of_the_message_tool() -> None:
    assistant, tool = create_assistant_messages_from_openai_response("Hi.", AGENT, "m", None, ZONE)
    assert arguments(assistant) == {"message": "Hi.", "request_heartbeat": False}
    assert (assistant.content, assistant.step_id, assistant.run_id) == ((), None, None)
    assert (tool.name, tool.tool_call_id) == ("send_message", assistant.tool_call_id)
    assert (packed(tool)["status"], packed(tool)["message"]) == ("OK", None)
    again, _ = create_assistant_messages_from_openai_response("Hi.", AGENT, "m", None, ZONE)
    assert again.tool_call_id != assistant.tool_call_id


@pytest.mark.rule("S48")
def test_a_return_packed() -> None:
    text = package_function_response(True, "è\x00", "Asia/Tokyo")
    assert list(json.loads(text)) == ["status", "message", "time"]
    assert "è" in text
    assert "\\u0000" not in text
    assert '\n  "' in text
    assert json.loads(text)["time"].endswith("JST+0900")
    failed = json.loads(package_function_response(False, None, None))
    assert (failed["status"], failed["message"]) == ("Failed", None)
    here = datetime.now().astimezone().strftime("%z")
    assert failed["time"].endswith(here)
    assert json.loads(package_function_response(True, {"a": 1}, ZONE))["message"] == {"a": 1}


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
