"""Sending to an agent and listing what was said (api 8, streaming 1 to 3)."""

from typing import Any

import anyio
import httpx
import pytest
from letta_client import AsyncLetta

from eunoe.domain.messages import Json
from eunoe.ids import is_id, new
from eunoe.wire.sends import LettaRequest
from tests.fixtures.apis import Api
from tests.http.reading import frames, kinds
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio


def url(agent_id: str, rest: str = "") -> str:
    return f"/v1/agents/{agent_id}/messages{rest}"


@pytest.mark.rule("api-8.4", "streaming-3.1", "streaming-3.2")
async def test_a_blocking_send(world: World, letta: AsyncLetta) -> None:
    agent = await world.agent()
    answer = await letta.agents.messages.create(agent.id, input="SAY Good evening.")
    (said,) = answer.messages
    assert said.message_type == "assistant_message"
    assert said.content == "Good evening."
    assert said.seq_id is None
    assert said.step_id is not None
    assert is_id("step", said.step_id)
    assert answer.stop_reason.stop_reason == "end_turn"
    assert answer.usage.step_count == 1
    assert answer.usage.total_tokens


@pytest.mark.rule("streaming-2.6", "streaming-2.15", "G-8")
async def test_a_step_stream(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    body = {"input": 'THINK Let me see. CALL look {"at": "it"}', "streaming": True}
    answer = await http.post(url(agent.id), json=body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    read = frames(answer.content)
    assert [one if isinstance(one, str) else one["message_type"] for one in read] == [
        "ping",
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
        "[DONE]",
    ]
    ping, thought, call, returned, *_ = read
    assert ping["run_id"] == answer.headers["x-letta-run-id"] == call["run_id"]
    assert thought["id"] == call["id"] != returned["id"]
    assert call["tool_calls"][0]["name"] == "look"
    assert returned["tool_return"] == "look 1"
    assert [one["seq_id"] for one in read[:5]] == [1, 2, 3, 4, 5]


@pytest.mark.rule("streaming-2.7", "streaming-2.9", "api-9.4")
async def test_a_token_stream_adds_up_to_what_is_listed(world: World, letta: AsyncLetta) -> None:
    agent = await world.agent()
    text = "one two three four five six seven eight nine ten"
    stream = await letta.agents.messages.create(
        agent.id,
        input=f'CALL look {{"a": "{text}"}} SAY {text}',
        streaming=True,
        stream_tokens=True,
        include_pings=False,
    )
    said: dict[str, str] = {}
    arguments = ""
    async for event in stream:
        chunk: Any = event
        if chunk.message_type == "assistant_message":
            said[chunk.otid] = said.get(chunk.otid, "") + chunk.content
        elif chunk.message_type == "tool_call_message":
            arguments += chunk.tool_call.arguments or ""
    listed = await letta.agents.messages.list(agent.id)
    parts: dict[str, Any] = {one.otid or "": one for one in listed.items}
    for otid, content in said.items():
        assert parts[otid].content == content
    (call,) = [one for one in parts.values() if one.message_type == "tool_call_message"]
    assert call.tool_call.arguments == arguments


@pytest.mark.rule("api-8.4", "api-8.6", "api-19.1", "streaming-4.1")
async def test_an_async_send_gives_its_run_at_once(world: World, letta: AsyncLetta) -> None:
    agent = await world.agent()
    run = await letta.agents.messages.create_async(
        agent.id, input="CALL wait {}", include_return_message_types=["assistant_message"]
    )
    assert (run.status in ("created", "running"), run.background) == (True, True)
    assert run.metadata == {"run_type": "send_message_async"}
    assert run.request_config is not None
    assert run.request_config.include_return_message_types == ["assistant_message"]
    with anyio.fail_after(10):
        await world.tools.entered.wait()
    world.tools.gate.set()
    outcome = await world.runner.fold(ACTOR, run.id)
    assert outcome.reason == "end_turn"
    result: Any = ((await letta.runs.retrieve(run.id)).metadata or {})["result"]
    assert [one["message_type"] for one in result["messages"]] == ["assistant_message"]
    assert result["stop_reason"]["stop_reason"] == "end_turn"
    assert result["usage"]["step_count"] == 2


@pytest.mark.rule("G-12", "streaming-9.2", "api-1.7")
async def test_a_busy_agent_refuses_before_any_effect(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    run = (await http.post(url(agent.id, "/async"), json={"input": "CALL wait {}"})).json()
    for rest in ("", "/stream", "/async"):
        refused = await http.post(url(agent.id, rest), json={"input": "Me too."})
        assert refused.status_code == 409
        assert refused.headers["x-should-retry"] == "false"
        assert refused.json()["run_id"] == run["id"]
        assert refused.json()["detail"].startswith("CONFLICT: ")
    world.tools.gate.set()


@pytest.mark.rule("G-11", "streaming-4.7", "api-8.10")
async def test_cancelling(world: World, letta: AsyncLetta, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    run = await letta.agents.messages.create_async(agent.id, input="CALL wait {}")
    with anyio.fail_after(10):
        await world.tools.entered.wait()
    assert await letta.agents.messages.cancel(agent.id) == {run.id: "cancelled"}
    assert (await letta.runs.retrieve(run.id)).status == "cancelled"
    stream = await http.post(f"/v1/runs/{run.id}/stream")
    assert [one for one in kinds(stream.content) if one == "stop_reason"] == ["stop_reason"]
    assert '"stop_reason":"cancelled"' in stream.text
    nothing = await http.post(url(agent.id, "/cancel"), json={})
    assert (nothing.status_code, nothing.headers["x-should-retry"]) == (409, "false")


@pytest.mark.rule("G-6", "streaming-1.11")
async def test_an_sdks_retry_finds_the_first_run(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    said: list[str] = []
    for count in ("0", "1", "2", "odd"):
        headers = {"x-stainless-retry-count": count}
        answer = await http.post(url(agent.id), json={"input": "Hello."}, headers=headers)
        said.append(answer.headers["x-letta-run-id"])
    assert said[0] == said[1] == said[2] != said[3]


@pytest.mark.rule("G-5", "streaming-1.10")
async def test_the_same_otids_find_the_same_run(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    hello = {"role": "user", "content": "Hello.", "otid": "mine"}
    body = {"messages": [hello], "streaming": True, "background": True}
    first = await http.post(url(agent.id), json=body)
    second = await http.post(url(agent.id), json=body)
    assert first.content == second.content
    run_id = first.headers["x-letta-run-id"]
    more = {"role": "user", "content": "And you?", "otid": "yours"}
    refused = await http.post(url(agent.id), json={"messages": [hello, more]})
    assert (refused.status_code, refused.json()["run_id"]) == (409, run_id)
    assert refused.headers["x-should-retry"] == "false"


@pytest.mark.rule("streaming-9.1", "streaming-9.3", "api-3.3")
async def test_a_model_that_fails(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    blocking = await http.post(url(agent.id), json={"input": "FAIL 401"})
    assert blocking.status_code == 401
    assert blocking.json()["error"]["type"] == "llm_authentication"
    assert blocking.headers["x-should-retry"] == "false"
    stream = await http.post(url(agent.id, "/stream"), json={"input": "FAIL 401"})
    assert stream.status_code == 200
    assert kinds(stream.content) == [
        "ping",
        "stop_reason",
        "usage_statistics",
        "error",
        "error_message",
        "[DONE]",
    ]
    error = frames(stream.content)[-2]
    assert error["error_type"] == "llm_authentication"


@pytest.mark.rule("api-8.2", "api-2.8", "api-9.6", "streaming-1.3")
@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 422, "one of the two"),
        ({"messages": []}, 422, "too_short"),
        ({"input": "x", "stream_tokens": True, "background": True}, 422, "background=true"),
        ({"messages": [{"approve": True, "approval_request_id": "1"}]}, 400, "awaiting approval"),
        ({"input": ""}, 400, "empty"),
        ({"input": [{"type": "image", "source": {"type": "url", "url": "http://127.0.0.1/x"}}]},
         400, "at a public address"),
    ],
)  # fmt: skip
async def test_refused_with_a_reason(
    world: World, http: httpx.AsyncClient, body: object, status: int, text: str
) -> None:
    agent = await world.agent()
    answer = await http.post(url(agent.id), json=body)
    assert answer.status_code == status
    assert text in answer.json()["detail"]


@pytest.mark.rule("G-26", "streaming-1.1")
async def test_every_entrance_reads_every_field(world: World, http: httpx.AsyncClient) -> None:
    """What is not read could not be refused; nothing of a refused request is stored."""
    agent = await world.agent()
    made = (await http.post(f"/v1/conversations/?agent_id={agent.id}", json={})).json()
    own: Json = {"agent_id": agent.id}
    members: Json = {"agent_ids": [agent.id], "description": ""}
    group = (await http.post("/v1/groups/", json=members)).json()
    entrances: list[tuple[str, Json]] = [
        (url(agent.id), {}),
        (url(agent.id), {"streaming": True}),
        (url(agent.id, "/stream"), {}),
        (url(agent.id, "/async"), {}),
        (url(agent.id, "/preview-raw-payload"), {}),
        (f"/v1/conversations/{made['id']}/messages", {}),
        (f"/v1/conversations/{made['id']}/messages", {"streaming": False}),
        (f"/v1/conversations/{made['id']}/messages/preview-raw-payload", {}),
        ("/v1/conversations/default/messages", own),
        ("/v1/messages/batches", own),
        (f"/v1/groups/{group['id']}/messages", {}),
        (f"/v1/groups/{group['id']}/messages/stream", {}),
    ]
    before = await world.window(agent)
    for path, beside in entrances:
        for field in LettaRequest.model_fields:
            item: Json = {"input": "x", **beside, field: {"odd": []}}
            if field == "messages":
                del item["input"]
            body: Json = {"requests": [item]} if path.endswith("batches") else item
            answer = await http.post(path, json=body)
            assert (answer.status_code, path) == (422, path), (field, answer.text)
            assert field in answer.json()["detail"]
    assert await world.window(agent) == before


@pytest.mark.rule("api-2.2", "api-2.8")
async def test_unknown_and_malformed_agents(world: World, http: httpx.AsyncClient) -> None:
    for rest in ("", "/stream", "/async"):
        unknown = await http.post(url(new("agent"), rest), json={"input": "x"})
        assert unknown.status_code == 404
        malformed = await http.post(url("agent-1", rest), json={"input": "x"})
        assert malformed.status_code == 422
        assert len(malformed.json()["examples"]) == 1
    assert (await http.get(url(new("agent")))).status_code == 404


@pytest.mark.rule("api-5.7", "api-5.8", "api-5.10", "api-8.14")
async def test_lists_are_chronological_and_cursors_absolute(
    world: World, letta: AsyncLetta
) -> None:
    agent = await world.agent()
    for place in range(3):
        await letta.agents.messages.create(agent.id, input=f"SAY {place}")

    async def listed(**query: Any) -> list[str]:
        page = await letta.agents.messages.list(agent.id, **query)
        items: list[Any] = page.items
        return [one.content for one in items]

    whole = await listed()
    assert whole[1:] == ["SAY 0", "0", "SAY 1", "1", "SAY 2", "2"]
    assert await listed(order="asc") == whole
    assert await listed(limit=2) == ["SAY 2", "2"]
    assert await listed(limit=2, order="asc") == whole[:2]
    page = await letta.agents.messages.list(agent.id, limit=3)
    oldest, newest = page.items[0].id, page.items[-1].id
    assert await listed(after=oldest) == ["SAY 2", "2"]
    assert await listed(after=newest) == []
    assert await listed(before=oldest, limit=2) == ["0", "SAY 1"]
    walked: list[Any] = [
        one async for one in letta.agents.messages.list(agent.id, limit=2, order="asc")
    ]
    assert [one.content for one in walked] == whole
    only = await listed(include_return_message_types=["assistant_message"])
    assert only == ["0", "1", "2"]


@pytest.mark.rule("api-5.6", "api-5.5")
async def test_bad_pages(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    assert (await http.get(url(agent.id, f"?after={new('message')}"))).status_code == 404
    assert (await http.get(url(agent.id, "?limit=-1"))).status_code == 422
    assert (await http.get(url(agent.id, "?limit=9223372036854775808"))).status_code == 200
    assert (await http.get(url(agent.id, "?order=up"))).status_code == 422
    assert (await http.get(url(agent.id, "?include_return_message_types=x"))).status_code == 422


@pytest.mark.rule("api-8.16", "api-8.18", "api-3.2")
async def test_messages_wherever_they_are(
    world: World, letta: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first, second = await world.agent(), await world.agent()
    for agent in (first, second):
        await letta.agents.messages.create(agent.id, input="CALL look {}")
    everything: list[Any] = await letta.messages.list(limit=1000)
    assert [one.message_type for one in everything].count("tool_call_message") == 2
    assert len(await letta.messages.list(conversation_id="default")) == len(everything)
    (call,) = [one for one in everything if one.message_type == "tool_call_message"][:1]
    parts = await letta.messages.retrieve(call.id)
    assert [one.id for one in parts] == [call.id] * len(parts)
    assert (await http.get(f"/v1/messages/{new('message')}")).status_code == 404
    changed = await http.patch(url(first.id, f"/{call.id}"), json={"content": "Never said."})
    assert changed.status_code == 405


@pytest.mark.rule("api-8.16", "api-8.18", "api-9.5")
async def test_what_an_agent_sent_is_shown_as_what_it_said(api: Api) -> None:
    agent = await api.agent(
        agent_type="memgpt_agent",
        include_base_tools=False,
        initial_message_sequence=[{"role": "assistant", "content": "Hello."}],
    )
    said = (await api.got("/v1/messages/"))[1:]
    assert [(one["message_type"], one["content"]) for one in said] == [
        ("assistant_message", "Hello.")
    ]
    assert (await api.got(f"/v1/conversations/{agent['id']}/messages"))[:-1] == said
    sent = (await api.got("/v1/messages/", use_assistant_message=False))[1:]
    unheard = ["tool_call_message", "tool_return_message"]
    assert [one["message_type"] for one in sent] == unheard
    (call,) = await api.got(f"/v1/messages/{said[0]['id']}")
    assert call["message_type"] == "tool_call_message"


@pytest.mark.rule("api-8.20")
async def test_searching(world: World, letta: AsyncLetta, http: httpx.AsyncClient) -> None:
    agent, other = await world.agent(), await world.agent()
    await letta.agents.messages.create(agent.id, input="My parrot is called Ferdinand.")
    await letta.agents.messages.create(other.id, input="The weather is fine.")
    found: list[Any] = await letta.messages.search(query="parrot Ferdinand", limit=1)
    assert found[0].content == "My parrot is called Ferdinand."
    assert (found[0].message_type, found[0].agent_id) == ("user_message", agent.id)
    body = {"query": "parrot", "roles": ["user"], "agent_id": agent.id, "search_mode": "fts"}
    answer = (await http.post("/v1/agents/messages/search", json=body)).json()
    assert [one["message"]["content"][0]["text"] for one in answer] == [found[0].content]
    assert answer[0]["fts_rank"] == 1
    await letta.agents.update(agent.id, project_id="p", template_id="t")
    mine = {**body, "project_id": "p", "template_id": "t"}
    assert (await http.post("/v1/agents/messages/search", json=mine)).json() == answer
    for nothing in (
        {"roles": ["system"]},
        {"project_id": "x"},
        {"template_id": "p"},
        {"end_date": "1999-01-01"},
    ):
        empty = await http.post("/v1/agents/messages/search", json={**body, **nothing})
        assert (empty.status_code, empty.json()) == (200, [])
    late = {"query": "parrot", "start_date": found[0].created_at.isoformat()}
    after = (await http.post("/v1/messages/search", json=late)).json()
    assert "user_message" not in [one["message_type"] for one in after]
    assert (
        await http.post("/v1/messages/search", json={"query": "x", "limit": 0})
    ).status_code == 422
