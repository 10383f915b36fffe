"""MCP servers over HTTP: kept, read, called, and given to agents."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from anyio import lowlevel
from letta_client import (
    AsyncLetta,
    BadRequestError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)
from letta_client.types import SseMcpServer, StdioMcpServer, StreamableHTTPMcpServer
from mcp.server.mcpserver import MCPServer

from eunoe.domain.mcp_servers import MASK
from eunoe.domain.messages import Json
from eunoe.store.db import Database
from eunoe.testing.scripted import ScriptedModel, call, say
from eunoe.tools.mcp_sessions import Limits
from tests.fixtures.hostile_http import Hostile
from tests.fixtures.mcp import Served, demo, mcp_http
from tests.fixtures.web import served_app
from tests.http.talks import ADDRESS, Talk, talking

pytestmark = pytest.mark.anyio

UNKNOWN = "mcp_server-00000000-0000-4000-8000-000000000009"
TEMPLATE = "{{ TOKEN | none }}"
NOBODY = "agent-00000000-0000-4000-8000-000000000009"
NOWHERE = "http://127.0.0.1:9/mcp"
IMPATIENT = Limits(call_s=0.5)


@pytest.fixture
async def talk(database: Database) -> AsyncGenerator[Talk]:
    async with talking(database) as talk:
        yield talk


@pytest.fixture
def strict(talk: Talk) -> AsyncLetta:
    return AsyncLetta(
        base_url=ADDRESS,
        http_client=talk.http,
        max_retries=0,
        api_key="any",
        _strict_response_validation=True,
    )


@pytest.fixture
async def served() -> AsyncGenerator[Served]:
    async with mcp_http(demo()) as served:
        yield served


def web(url: str | None, **more: Any) -> Any:
    return {"mcp_server_type": "streamable_http", "server_url": url, **more}


async def made(letta: AsyncLetta, name: str, url: str, **more: Any) -> str:
    server = await letta.mcp_servers.create(server_name=name, config=web(url, **more))
    assert server.id is not None
    return server.id


@pytest.mark.rule("api-16.1", "api-16.2", "api-16.3", "X43", "X45", "X56")
async def test_a_server_is_kept_shown_changed_and_removed(strict: AsyncLetta, talk: Talk) -> None:
    servers = strict.mcp_servers
    secrets = {"auth_token": "s3cret", "custom_headers": {"X-Team": "red"}}
    first = await servers.create(server_name="web", config=web(NOWHERE, **secrets))
    assert isinstance(first, StreamableHTTPMcpServer)
    assert (first.auth_token, first.custom_headers) == ("s3cret", {"X-Team": "red"})
    assert first.id is not None
    run = await servers.create(
        server_name="run",
        config={"command": sys.executable, "args": ["-c", "pass"], "env": {"KEY": "s3cret"}},
    )
    sse = await servers.create(
        server_name="old", config={"mcp_server_type": "sse", "server_url": NOWHERE}
    )
    listed = await servers.list()
    assert [type(one) for one in listed] == [StreamableHTTPMcpServer, StdioMcpServer, SseMcpServer]
    assert [one.server_name for one in listed] == ["web", "run", "old"]
    assert "s3cret" not in str(listed)
    assert "s3cret" not in str(await servers.retrieve(first.id))
    with pytest.raises(ConflictError):
        await servers.create(server_name="web", config=web(NOWHERE))

    shown: Json = (await talk.http.get(f"/v1/mcp-servers/{first.id}")).json()
    config: Any = {key: it for key, it in shown.items() if key not in ("id", "server_name")}
    kept = await strict.mcp_servers.update(first.id, server_name="site", config=config)
    assert isinstance(kept, StreamableHTTPMcpServer)
    # Whoever did not say it does not get to see it either.
    assert (kept.server_name, kept.auth_token) == ("site", MASK)
    bare = await strict.mcp_servers.update(first.id, config=web(None, auth_token=None))
    assert isinstance(bare, StreamableHTTPMcpServer)
    assert (bare.server_url, bare.auth_token) == (NOWHERE, None)
    assert bare.custom_headers == {"X-Team": MASK}
    assert run.id is not None
    with pytest.raises(BadRequestError):
        await strict.mcp_servers.update(run.id, config=web(NOWHERE))
    with pytest.raises(ConflictError):
        await strict.mcp_servers.update(
            run.id, server_name="site", config={"command": None, "args": None}
        )
    assert await servers.delete(first.id) is None
    assert sse.id is not None
    assert [one.id for one in await servers.list()] == [run.id, sse.id]


@pytest.mark.rule("api-16.3")
@pytest.mark.parametrize("is_masked", [True, False])
async def test_what_was_told_to_one_address_is_not_told_to_another(
    strict: AsyncLetta, served: Served, *, is_masked: bool
) -> None:
    secrets: Any = {"auth_token": "s3cret", "custom_headers": {"X-Team": "red"}}
    at = await made(strict, "web", served.url, **secrets)
    assert {one.get("x-team") for one in served.seen} == {"red"}
    sent: Any = {"auth_token": MASK, "custom_headers": {"X-Team": MASK}} if is_masked else {}
    # The same address keeps them.
    await strict.mcp_servers.update(at, config=web(served.url, **sent))
    assert {one.get("authorization") for one in served.seen} == {"Bearer s3cret"}
    async with mcp_http(demo()) as other:
        moved: Any = await strict.mcp_servers.update(at, config=web(other.url, **sent))
        assert (moved.auth_token, moved.custom_headers) == (None, None)
        told = {(one.get("authorization"), one.get("x-team")) for one in other.seen}
        assert told == {(None, None)}
    shown: Any = await strict.mcp_servers.retrieve(at)
    assert (shown.auth_token, shown.custom_headers) == (None, None)


@pytest.mark.rule("api-16.2", "api-2.2", "X44", "X56")
async def test_what_is_no_server_is_refused(strict: AsyncLetta, talk: Talk) -> None:
    with pytest.raises(NotFoundError):
        await strict.mcp_servers.retrieve(UNKNOWN)
    with pytest.raises(NotFoundError):
        await strict.mcp_servers.delete(UNKNOWN)
    with pytest.raises(BadRequestError):
        await strict.mcp_servers.retrieve("nonsense")
    for url in ("ftp://example.com", "nonsense"):
        with pytest.raises(UnprocessableEntityError):
            await strict.mcp_servers.create(server_name="bad", config=web(url))
    with pytest.raises(UnprocessableEntityError):
        await strict.mcp_servers.create(server_name="bad", config=web(NOWHERE, more=1))
    assert await strict.mcp_servers.list() == []
    body: Json = {"server_name": "page", "config": {"command": "true", "args": []}}
    for origin, host, status in (
        ("https://evil.example", "localhost", 403),
        ("http://evil.example", "evil.example", 403),
        ("http://localhost:8283", "localhost:8283", 200),
    ):
        headers = {"Origin": origin, "Host": host}
        reply = await talk.http.post("/v1/mcp-servers/", json=body, headers=headers)
        assert reply.status_code == status, reply.text


@pytest.mark.rule("api-16.2", "api-16.3", "X49", "X51", "X56")
async def test_the_tools_of_a_server_are_registered_and_called(
    strict: AsyncLetta, talk: Talk, served: Served
) -> None:
    server_id = await made(strict, "demo", served.url)
    listed = {tool.name: tool for tool in await strict.mcp_servers.tools.list(server_id)}
    add = listed["add"]
    assert add.tool_type == "external_mcp"
    assert add.tags == ["mcp:demo"]
    told: Any = (add.metadata or {})["mcp"]
    assert (told["server_name"], told["server_id"]) == ("demo", server_id)
    assert (add.json_schema or {})["mcp:SCHEMA_STATUS"] == "NON_STRICT_ONLY"
    assert add == await strict.mcp_servers.tools.retrieve(add.id, mcp_server_id=server_id)
    tools = strict.mcp_servers.tools
    sum_ = await strict.mcp_servers.tools.run(
        add.id, mcp_server_id=server_id, args={"a": 1, "b": 2}
    )
    assert (sum_.status, sum_.func_return) == ("success", "3")
    failed = await tools.run(listed["fail"].id, mcp_server_id=server_id)
    assert (failed.status, failed.func_return) == ("error", None)
    with pytest.raises(BadRequestError):
        await tools.run(add.id, mcp_server_id=server_id, args={"a": 1})
    with pytest.raises(NotFoundError):
        await tools.run(add.id, mcp_server_id=UNKNOWN, args={})
    talk.mcp.sessions.limits = IMPATIENT
    late = await talk.http.post(
        f"/v1/mcp-servers/{server_id}/tools/{listed['hang'].id}/run", json={"args": {}}
    )
    assert late.status_code == 408
    assert late.headers["x-should-retry"] == "false"
    dead = await made(strict, "dead", NOWHERE)
    assert await tools.list(dead) == []
    gone = await talk.http.patch(f"/v1/mcp-servers/{dead}/refresh")
    assert gone.status_code == 502
    assert gone.json()["error"]["type"] == "mcp_connection_error"


@pytest.mark.rule("X49", "X52", "FIX-62", "api-16.2")
async def test_refreshing_follows_the_server_and_keeps_what_people_chose(
    strict: AsyncLetta, talk: Talk
) -> None:
    def one(a: int) -> int:
        return a

    def another(a: int, b: int) -> int:
        return a + b

    server = MCPServer("changing")
    server.add_tool(one, name="stays", description="Before.")
    server.add_tool(lambda: "", name="goes")
    server.add_tool(lambda: "", name="files.read/all")
    async with mcp_http(server) as served:
        server_id = await made(strict, "changing:one", served.url)
        before = {one.name: one for one in await strict.mcp_servers.tools.list(server_id)}
        assert set(before) == {"stays", "goes", "files_read_all"}
        agent = await strict.agents.create(
            model="openai/m", include_base_tools=False, tool_ids=[before["goes"].id]
        )
        await strict.agents.tools.attach(before["stays"].id, agent_id=agent.id)
        for name in ("stays", "goes"):
            server.remove_tool(name)
        server.add_tool(another, name="stays", description="After.")
        server.add_tool(lambda: "", name="comes")
        changes: Any = await strict.mcp_servers.refresh(server_id)
        assert changes == {
            "added": ["comes"],
            "updated": ["stays"],
            "deleted": ["goes"],
            "rejected": [],
        }
        after = {one.name: one for one in await strict.mcp_servers.tools.list(server_id)}
        assert after["stays"].id == before["stays"].id
        assert after["stays"].description == "After."
        attached = [tool.name async for tool in await strict.agents.tools.list(agent.id)]
        assert attached == ["stays"]
        again: Any = await strict.mcp_servers.refresh(server_id, agent_id=agent.id)
        assert again == {"added": [], "updated": [], "deleted": [], "rejected": []}
        with pytest.raises(NotFoundError):
            await strict.mcp_servers.refresh(server_id, agent_id=NOBODY)
    # A server that is down takes nothing away.
    assert (await talk.http.patch(f"/v1/mcp-servers/{server_id}/refresh")).status_code == 502
    assert len(await strict.mcp_servers.tools.list(server_id)) == 3
    await strict.mcp_servers.update(server_id, server_name="new", config=web(None))
    for tool in await strict.mcp_servers.tools.list(server_id):
        told: Any = tool
        assert tool.tags == ["mcp:new"]
        assert told.metadata["mcp"]["server_name"] == "new"
    await strict.mcp_servers.delete(server_id)
    assert [one.name async for one in await strict.agents.tools.list(agent.id)] == []


@pytest.mark.rule("FIX-62", "X52")
async def test_a_server_that_says_its_tools_changed_is_read_again(
    strict: AsyncLetta, served: Served
) -> None:
    server_id = await made(strict, "demo", served.url)
    tools = strict.mcp_servers.tools
    grow = {one.name: one.id for one in await tools.list(server_id)}["grow"]
    async with asyncio.timeout(30):
        while "grown" not in {one.name for one in await tools.list(server_id)}:
            await tools.run(grow, mcp_server_id=server_id)


@pytest.mark.rule("FIX-62", "X46", "X52")
async def test_a_command_that_is_filled_for_an_agent_is_read_again_as_well(
    strict: AsyncLetta, talk: Talk
) -> None:
    command = {"command": sys.executable, "args": ["-m", "tests.fixtures.mcp"]}
    config: Any = {**command, "env": {"TOKEN": TEMPLATE}}
    server_id = (await strict.mcp_servers.create(server_name="run", config=config)).id or ""
    tools = strict.mcp_servers.tools
    grow = {one.name: one.id for one in await tools.list(server_id)}["grow"]
    agent = await strict.agents.create(
        model="openai/m", include_base_tools=False, tool_ids=[grow], secrets={"TOKEN": "s3cret"}
    )
    talk.registry.model = ScriptedModel(call(("grow", {})), say("Grown."))
    await strict.agents.messages.create(agent.id, input="Go.")
    async with asyncio.timeout(10):
        while "grown" not in {one.name for one in await tools.list(server_id)}:
            await lowlevel.checkpoint()


@pytest.mark.rule("FIX-62", "X49")
async def test_equal_names_of_two_servers_are_two_tools(strict: AsyncLetta, served: Served) -> None:
    other = MCPServer("other")
    other.add_tool(lambda: "of the other", name="add")
    other.add_tool(lambda: "not the built-in one", name="memory_insert")
    async with mcp_http(other) as second:
        ids = [await made(strict, "one", served.url), await made(strict, "two: b", second.url)]
        tools = strict.mcp_servers.tools
        named = [{tool.name: tool.id for tool in await tools.list(one)} for one in ids]
        assert "add" in named[0]
        assert set(named[1]) == {"add__two_b", "memory_insert__two_b"}
        said = await tools.run(named[1]["add__two_b"], mcp_server_id=ids[1])
        assert said.func_return == "of the other"
        with pytest.raises(NotFoundError):
            await tools.run(named[1]["add__two_b"], mcp_server_id=ids[0])


@pytest.mark.rule("X1", "X46", "X47", "X54", "G-17")
async def test_an_agent_calls_the_tools_of_a_server(
    strict: AsyncLetta, talk: Talk, served: Served
) -> None:
    server_id = await made(
        strict, "demo", served.url, auth_token=TEMPLATE, custom_headers={"X-Team": "red"}
    )
    tools = {one.name: one.id for one in await strict.mcp_servers.tools.list(server_id)}
    agent = await strict.agents.create(
        model="openai/m",
        include_base_tools=False,
        tool_ids=[tools["whoami"], tools["picture"], tools["fail"]],
        secrets={"TOKEN": "s3cret"},
    )
    talk.registry.model = model = ScriptedModel(
        call(("whoami", {})), call(("picture", {})), call(("fail", {})), say("Done.")
    )
    reply = await strict.agents.messages.create(agent.id, input="Go.")
    returned = [one for one in reply.messages if one.message_type == "tool_return_message"]
    assert [one.status for one in returned] == ["success", "success", "error"]
    said = str(returned[0].tool_return)
    assert agent.id in said
    assert "Bearer s3cret" in said
    assert "red" in said
    last = model.requests[-1]
    assert "s3cret" in str(last.messages)
    assert "image/png" in str(last.messages)
    assert reply.stop_reason.stop_reason == "end_turn"


@pytest.mark.rule("X3", "X44", "X47", "X49", "X54")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("changing", "fine"),
        ("endless", "did not answer within"),
        ("packed-huge", ""),
        ("redirect", ""),
        ("unauthorized", "sign in"),
    ],
)
async def test_a_hostile_server_fails_its_own_call_alone(
    strict: AsyncLetta, talk: Talk, wrong: str, said: str
) -> None:
    good = Hostile("nothing")
    async with served_app(good) as elsewhere, served_app(hostile := Hostile(wrong)) as url:
        hostile.at = "" if wrong == "changing" else hostile.at
        hostile.elsewhere = elsewhere
        server_id = await made(strict, "hostile", url)
        (tool,) = await strict.mcp_servers.tools.list(server_id)
        agent = await strict.agents.create(
            model="openai/m", include_base_tools=False, tool_ids=[tool.id]
        )
        talk.mcp.sessions.limits = IMPATIENT
        model = ScriptedModel(call(("t", {"p1": "a"})), say("So."), say("And on."))
        talk.registry.model = model
        for text in ("Go.", "And?"):
            async with asyncio.timeout(20):
                reply = await strict.agents.messages.create(agent.id, input=text)
            assert reply.stop_reason.stop_reason == "end_turn"
            if text == "Go.":
                (told,) = [it for it in reply.messages if it.message_type == "tool_return_message"]
                assert told.status == ("success" if wrong == "changing" else "error")
                assert said in str(told.tool_return)
                # What it says of its tools now counts from the next request on.
                await strict.mcp_servers.refresh(server_id)
        first, second, third = (request.tools[0].parameters for request in model.requests)
        assert first == second
        assert (third != first) is (wrong == "changing")
        assert good.asked == []


@pytest.mark.rule("X3", "X47", "X54")
async def test_a_dead_server_fails_a_call_and_not_the_turn(strict: AsyncLetta, talk: Talk) -> None:
    async with mcp_http(demo()) as served:
        server_id = await made(strict, "demo", served.url)
        tools = {one.name: one.id for one in await strict.mcp_servers.tools.list(server_id)}
        agent = await strict.agents.create(
            model="openai/m", include_base_tools=False, tool_ids=[tools["add"], tools["hang"]]
        )
        talk.mcp.sessions.limits = IMPATIENT
        talk.registry.model = ScriptedModel(call(("hang", {})), say("It hangs."))
        reply = await strict.agents.messages.create(agent.id, input="Go.")
        assert "did not answer within" in str(reply.messages)
    talk.registry.model = ScriptedModel(call(("add", {"a": 1, "b": 2})), say("It is dead."))
    async with asyncio.timeout(20):
        reply = await strict.agents.messages.create(agent.id, input="Go.")
    assert [one.message_type for one in reply.messages] == [
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    assert "McpUnreachable" in str(reply.messages)
