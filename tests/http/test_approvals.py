"""A person in the loop and tools that run on the client: requests and answers (agent 4)."""

import base64
import json
import uuid
from typing import Any

import httpx
import pytest
from letta_client import AsyncLetta, BadRequestError, ConflictError
from letta_client.types.agents import InternalMessage

from eunoe.domain.messages import Json
from tests.contract.reading import heard, parts_of
from tests.crash.invariants import faults
from tests.http.approving import (
    ALL,
    CAREFUL,
    answered,
    asked,
    given,
    ids_of,
    kinds,
    listed,
    waits,
    yes,
)
from tests.http.reading import frames
from tests.runs.conftest import World

pytestmark = pytest.mark.anyio

CLICK: Json = {"name": "click", "description": "Click on something."}
PIXEL = base64.b64encode(b"\x89PNG").decode()


@pytest.mark.rule("H1", "H2", "H3", "H4", "H5", "L36", "streaming-1.7", "api-6.3")
async def test_no_call_of_a_reply_runs_while_one_of_them_waits(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    assert await waits(strict, agent) is None
    answer = await strict.agents.messages.create(agent.id, input=f"CALLS {json.dumps(ALL[:2])}")
    assert kinds(answer.messages) == ["tool_call_message", "approval_request_message"]
    free, request = answer.messages
    assert answer.stop_reason.stop_reason == "requires_approval"
    assert world.tools.calls == []
    assert free.message_type == "tool_call_message"
    assert [call.name for call in free.tool_calls or ()] == ["look"]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] -- a list here
    assert request.message_type == "approval_request_message"
    assert (request.tool_call.name, request.tool_call.arguments) == ("count", '{"n":1}')
    assert uuid.UUID(request.id[-36:]).int == uuid.UUID(free.id[-36:]).int - 1
    assert (request.otid, request.step_id) == (request.id, free.step_id)
    run = await strict.runs.retrieve(request.run_id or "")
    assert (run.status, run.stop_reason) == ("completed", "requires_approval")
    assert await waits(strict, agent) == request.model_copy(update={"seq_id": None})
    state = await strict.agents.retrieve(agent.id)
    assert (state.pending_approval, state.last_stop_reason) == (None, "requires_approval")
    assert await faults(world.db) == []


@pytest.mark.rule(
    "H4", "H5", "api-9.3", "api-9.4", "streaming-2.5", "streaming-2.6", "streaming-2.9"
)
@pytest.mark.parametrize("mode", ["steps", "tokens", "background"])
async def test_a_streamed_request_is_the_listed_one(
    world: World, strict: AsyncLetta, mode: str
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    said = f"THINK Let me see. CALLS {json.dumps(ALL[:2])}"
    stream = await strict.agents.messages.create(
        agent.id,
        input=said,
        streaming=True,
        stream_tokens=mode != "steps",
        background=mode == "background",
    )
    got = heard([event async for event in stream])
    assert got.kinds == [
        "ping",
        "reasoning_message",
        "tool_call_message",
        "approval_request_message",
        "stop_reason",
        "usage_statistics",
    ]
    assert got.reasons == ["requires_approval"]
    assert got.parts == parts_of(await listed(strict, agent))


@pytest.mark.rule("H4", "streaming-2.5")
async def test_thoughts_before_a_request_keep_their_id(world: World, strict: AsyncLetta) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    stream = await strict.agents.messages.create(
        agent.id, input='THINK Hm. CALL count {"n": 1}', streaming=True, stream_tokens=True
    )
    got = heard([event async for event in stream])
    assert got.parts == parts_of(await listed(strict, agent))
    assert [kind for kind, _, _ in got.parts.values()] == [
        "reasoning_message",
        "approval_request_message",
    ]


@pytest.mark.rule(
    "H8", "H11", "H12", "H13", "H14", "H16", "H19", "H20", "L12", "L40", "FIX-21", "TR13"
)
@pytest.mark.rule("streaming-1.7", "api-9.3")
async def test_mixed_answers_come_back_in_the_order_of_the_calls(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, f"CALLS {json.dumps(ALL)}", client_tools=[CLICK])
    count, click, fail = ids_of(request)
    answers = [
        given(click, "clicked", "error"),
        yes(count),
        yes(fail, approve=False, reason="Not today."),
    ]
    answer = await answered(strict, agent, answers)
    returned, said = answer.messages
    assert (returned.message_type, said.message_type) == (
        "tool_return_message",
        "assistant_message",
    )
    outcomes = [(one.tool_return, one.status) for one in returned.tool_returns]
    assert outcomes[:3] == [("look 1", "success"), ("count 2", "success"), ("clicked", "error")]
    assert outcomes[3][1] == "error"
    assert "Not today." in outcomes[3][0]
    assert [one.tool_call_id for one in returned.tool_returns][1:] == [count, click, fail]
    assert [name for name, _ in world.tools.calls] == ["look", "count"]
    assert returned.step_id == request.step_id != said.step_id
    assert returned.run_id == said.run_id != request.run_id
    history = await listed(strict, agent)
    assert kinds(history)[2:] == [
        "tool_call_message",
        "approval_request_message",
        "approval_response_message",
        "tool_return_message",
        "assistant_message",
    ]
    response = history[4]
    assert [one.type for one in response.approvals] == ["tool", "approval", "approval"]
    assert (response.approve, response.approval_request_id) == (True, count)
    kept: Any = await strict.get(f"/v1/agents/{agent.id}/context", cast_to=object)
    inner = InternalMessage.model_validate(kept["messages"][4])
    assert (inner.approval_request_id, len(inner.approvals or ())) == (request.id, 3)
    sent = json.loads(world.model.requests[-1])["messages"]
    assert [call["function"]["name"] for call in sent[-5]["tool_calls"]] == [
        one["name"] for one in ALL
    ]
    assert await waits(strict, agent) is None
    assert await faults(world.db) == []


@pytest.mark.rule("H7", "H9", "api-8.1")
@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("by_message", [True, False])
async def test_the_deprecated_form_answers_a_single_call(
    world: World, strict: AsyncLetta, *, approve: bool, by_message: bool
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, "CALL count {}")
    named = request.id if by_message else ids_of(request)[0]
    item: Any = {"approve": approve, "approval_request_id": named, "reason": "So."}
    for _ in range(2):  # The repeat is one under the same name too.
        await strict.agents.messages.create(agent.id, messages=[item])
        assert len(world.tools.calls) == (1 if approve else 0)
    response = next(
        one
        for one in await listed(strict, agent)
        if one.message_type == "approval_response_message"
    )
    assert (response.approve, response.reason) == (approve, "So.")
    assert response.approval_request_id == ids_of(request)[0]


@pytest.mark.rule("H7", "H15", "H18", "H19", "H21", "L12", "api-9.8", "G-26")
async def test_a_client_tool_returns_what_it_likes(world: World, strict: AsyncLetta) -> None:
    agent = await world.agent()
    bare: Json = {"name": "click"}
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
    }
    packaged = json.dumps({"status": "OK", "message": "x" * 200_000, "time": "now"})
    for value in ("", "plain", [{"type": "text", "text": "See:"}, picture], packaged):
        request = await asked(strict, agent, "CALL click {}", client_tools=[bare])
        offered = json.loads(world.model.requests[-1])["tools"]
        assert "click" in [one["function"]["name"] for one in offered]
        items: Any = [{"type": "tool_return", "tool_returns": [given(ids_of(request)[0], value)]}]
        answer: Any = await strict.agents.messages.create(agent.id, messages=items)
        (returned,) = answer.messages[0].tool_returns
        if value == packaged:
            package = json.loads(returned.tool_return)
            assert len(package["message"]) < 110_000
            assert "97600 characters" in package["message"]
            assert (package["status"], package["time"]) == ("OK", "now")
        elif isinstance(value, str):
            assert returned.tool_return == value
        else:
            assert [part.type for part in returned.tool_return] == ["text", "image"]
            assert answer.messages[0].tool_return == "See:\n[an image]"
            assert PIXEL in world.model.requests[-1].decode()
    assert world.tools.calls == []


@pytest.mark.rule("H18", "TR13", "FIX-22", "streaming-1.6")
async def test_a_client_tool_hides_the_servers_of_its_name(
    world: World, strict: AsyncLetta
) -> None:
    agent = await world.agent()
    request = await asked(strict, agent, "CALL look {}", client_tools=[{"name": "look"}])
    (call_id,) = ids_of(request)
    with pytest.raises(BadRequestError, match="runs on the client"):
        await answered(strict, agent, [yes(call_id)])
    answer = await answered(strict, agent, [yes(call_id, approve=False)])
    assert "did not allow" in answer.messages[0].tool_return
    assert world.tools.calls == []
    await strict.agents.messages.create(agent.id, input="CALL look {}")
    assert [name for name, _ in world.tools.calls] == ["look"]


@pytest.mark.rule("H9", "H10", "H26", "streaming-9.6", "streaming-9.1", "api-8.1")
async def test_answers_that_do_not_fit_change_nothing(
    world: World, strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, f"CALLS {json.dumps([ALL[1], ALL[3]])}")
    count, fail = ids_of(request)
    before = kinds(await listed(strict, agent))
    wrong = "Invalid tool call IDs"
    cases: list[tuple[list[Any], str]] = [
        ([yes(count)], wrong),
        ([yes(count), yes(fail), yes("call_other")], wrong),
        ([yes(count), yes(fail), yes(fail, approve=False)], wrong),
        ([yes(request.id)], wrong),
        ([], "no entries"),
    ]
    for entries, text in cases:
        with pytest.raises(BadRequestError, match=text):
            await answered(strict, agent, entries)
        body = {"messages": [{"type": "approval", "approvals": entries}], "streaming": True}
        stream = await http.post(f"/v1/agents/{agent.id}/messages", json=body)
        stopped, _, name, error, done = frames(stream.content)
        assert (stream.status_code, stopped["stop_reason"], done) == (200, "error", "[DONE]")
        assert (name, error["error_type"]) == ("error", "internal_error")
        assert text in error["message"]
    assert kinds(await listed(strict, agent)) == before
    assert len((await strict.runs.list(agent_id=agent.id)).items) == 1
    await answered(strict, agent, [yes(count), yes(fail)])
    assert [name for name, _ in world.tools.calls] == ["count", "fail"]


@pytest.mark.rule("H22", "L11", "streaming-9.2", "streaming-9.6", "api-8.4")
async def test_ordinary_messages_are_refused_while_a_call_waits(
    world: World, strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent = await world.agent(tool_rules=CAREFUL)
    request = await asked(strict, agent, "CALL count {}")
    url = f"/v1/agents/{agent.id}/messages"
    told = "Please approve or deny the pending request before continuing"
    for rest in ("", "/async"):
        refused = await http.post(url + rest, json={"input": "And now?"})
        detail = refused.json()["detail"]
        assert (refused.status_code, refused.headers["x-should-retry"]) == (409, "false")
        assert (detail["code"], detail["pending_request_id"]) == ("PENDING_APPROVAL", request.id)
        assert told in detail["message"]
    with pytest.raises(ConflictError, match=told):
        await strict.agents.messages.create(agent.id, input="And now?")
    entrances: tuple[tuple[str, Json], ...] = (
        (url, {"streaming": True}),
        (f"{url}/stream", {"stream_tokens": True}),
        (f"/v1/conversations/{agent.id}/messages", {}),
    )
    for entrance, more in entrances:
        stream = await http.post(entrance, json={"input": "And now?", **more})
        stopped, used, _, error, _ = frames(stream.content)
        assert (stream.status_code, stopped["stop_reason"]) == (200, "error")
        assert (error["run_id"], error["error_type"]) == (request.run_id, "internal_error")
        assert told in error["message"]
        assert used["step_count"] == 0
    assert len((await strict.runs.list(agent_id=agent.id)).items) == 1
    assert (await waits(strict, agent)).id == request.id


@pytest.mark.rule("H23", "streaming-9.6", "api-8.1")
async def test_an_answer_to_nothing_says_so(world: World, strict: AsyncLetta) -> None:
    agent = await world.agent()
    for entry in (yes("call_1"), given("call_1", "x")):
        with pytest.raises(BadRequestError, match="No tool call is currently awaiting approval"):
            await answered(strict, agent, [entry])
    assert kinds(await listed(strict, agent)) == ["system_message"]
