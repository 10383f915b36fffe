"""The shared functions that take inputs in and package texts (agent S27 to S31, S40 to S48)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.messages import Image, Text
from eunoe.domain.models import ModelConfig
from eunoe.http.seed import (
    create_approval_response_message_from_input,
    create_assistant_messages_from_openai_response,
    create_heartbeat_system_message,
    create_input_messages,
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
from eunoe.wire.seed_records import Decision, ReturnRecord
from eunoe.wire.sends import MessageCreate
from tests.wire.said import AGENT, AT, MESSAGE, RUN
from tests.wire.turns import ZONE, arguments, is_now, packed

pytestmark = pytest.mark.anyio

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
        told = "image/avif" if "told" in request.path else "application/octet-stream"
        data = b"\0\0\0 ftypavif" if "told" in request.path else b"\x89PNG"
        return response(200, data, content_type=told)

    fetch = ImageFetcher(allow_private=True)
    async with serving(answer) as url:
        parts = [
            ImageContent(source=UrlImage(url=f"{url}/{name}")) for name in ("told", "guess.png")
        ]
        given = MessageCreate(role="user", content=[*parts])
        (made,) = await create_input_messages([given], AGENT, ZONE, RUN, None, fetch=fetch)
    await fetch.close()
    assert made.content == (
        Image(media_type="image/avif", data="AAAAIGZ0eXBhdmlm"),
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
