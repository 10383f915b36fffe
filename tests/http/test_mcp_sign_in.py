"""MCP servers that want their user to sign in (agent X48)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from eunoe.domain.mcp_connections import Progress
from eunoe.domain.mcp_servers import HttpServer, McpServer
from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolResult
from eunoe.errors import McpAuthorizationNeeded
from eunoe.http.scopes import CALLBACK
from eunoe.service import mcp_connections, mcp_servers
from eunoe.store import mcp_servers as stored
from eunoe.store.db import Actor, Database
from tests.fixtures.mcp import demo, mcp_http
from tests.fixtures.mcp_oauth import Porter, free_port, guarded
from tests.http.talks import ADDRESS, Talk, talking

pytestmark = pytest.mark.anyio

ACTOR = Actor()


@pytest.fixture
async def talk(database: Database) -> AsyncGenerator[Talk]:
    async with talking(database) as talk:
        yield talk


@asynccontextmanager
async def guarded_server(
    talk: Talk, porter: Porter, *, guests: bool = False
) -> AsyncGenerator[McpServer]:
    port = free_port()
    server = demo(**guarded(porter, port=port))
    async with mcp_http(server, port=port, guests=guests) as served:
        yield await mcp_servers.create(
            talk.mcp.db,
            talk.mcp,
            ACTOR,
            name="guarded",
            config=HttpServer(kind="streamable_http", url=served.url),
        )
        await talk.mcp.sessions.close_all()


async def sign_in(talk: Talk, server: McpServer, *, refuse: bool = False) -> list[Progress]:
    """Connect, and do what a person with a browser does when shown an address."""
    steps: list[Progress] = []
    async for step in mcp_connections.connect(
        talk.mcp.db, talk.mcp, ACTOR, server, callback=f"{ADDRESS}{CALLBACK}"
    ):
        steps.append(step)
        if step.event == "authorization_url":
            async with httpx.AsyncClient() as browser:
                visited = await browser.get(str(step.url))
            end = visited.headers["location"]
            if refuse:
                end = f"{CALLBACK}?error=access_denied&state={step.session_id}"
            assert end.startswith((ADDRESS, CALLBACK))
            told = (await talk.http.get(end)).json()
            assert told["status"] == ("error" if refuse else "success")
            again = (await talk.http.get(end)).json()
            assert again["status"] == "error"
    return steps


async def called(talk: Talk, server: McpServer, name: str = "add") -> ToolResult:
    tools = {tool.name: tool for tool in await mcp_servers.tools_of(talk.mcp.db, ACTOR, server.id)}
    arguments: Json = {"a": 1, "b": 2} if name == "add" else {}
    return await talk.mcp.call(ACTOR, tools[name], arguments)


SIGNED_IN = [
    "connection_attempt",
    "oauth_required",
    "authorization_url",
    "waiting_for_auth",
    "success",
]


@pytest.mark.rule("X45", "X48", "api-16.2", "api-16.3")
async def test_a_person_signs_in_and_agents_use_what_was_granted(
    talk: Talk, database: Database
) -> None:
    porter = Porter()
    async with guarded_server(talk, porter) as server:
        assert await mcp_servers.tools_of(database, ACTOR, server.id) == []
        refused = await talk.http.patch(f"/v1/mcp-servers/{server.id}/refresh")
        assert (refused.status_code, refused.json()["error"]["type"]) == (
            502,
            "mcp_authorization_needed",
        )
        steps = await sign_in(talk, server)
        assert [step.event for step in steps] == SIGNED_IN
        assert steps[-1].tools
        assert (await called(talk, server)).output == "3"
        async with database.read(ACTOR) as tx:
            sealed = await tx.fetch_value("SELECT grant_sealed FROM mcp_oauth_sessions")
        (token,) = porter.tokens
        assert token not in sealed
        assert [step.event for step in await sign_in(talk, server)] == [
            "connection_attempt",
            "success",
        ]
        async with mcp_http(demo()) as other:
            moved = {"mcp_server_type": "streamable_http", "server_url": other.url}
            path = f"/v1/mcp-servers/{server.id}"
            assert (await talk.http.patch(path, json={"config": moved})).status_code == 200
            assert (await called(talk, server)).output == "3"
        assert other.seen
        assert not any("authorization" in headers for headers in other.seen)


@pytest.mark.rule("X48")
async def test_a_token_that_ends_is_renewed_and_one_that_is_revoked_is_not(
    talk: Talk, database: Database
) -> None:
    porter = Porter(lasting_s=1)
    async with guarded_server(talk, porter) as server:
        await sign_in(talk, server)
        await talk.mcp.sessions.close_all()
        before = porter.renewed
        results = await asyncio.gather(*(called(talk, server) for _ in range(4)))
        assert all(result.ok for result in results)
        assert porter.renewed > before
        async with database.read(ACTOR) as tx:
            granted = await stored.grant(tx, server.id)
        assert granted["tokens"]["access_token"] in porter.tokens
        porter.tokens.clear()
        porter.refreshing.clear()
        with pytest.raises(McpAuthorizationNeeded):
            await called(talk, server)
        assert [step.event for step in await sign_in(talk, server)] == SIGNED_IN
        assert (await called(talk, server)).ok


@pytest.mark.rule("X48")
async def test_a_server_that_asks_only_when_a_tool_is_called_is_signed_in_with(talk: Talk) -> None:
    async with guarded_server(talk, Porter(), guests=True) as server:
        assert [step.event for step in await sign_in(talk, server)][-1] == "success"
        with pytest.raises(McpAuthorizationNeeded):
            await called(talk, server)
        assert [step.event for step in await sign_in(talk, server)] == SIGNED_IN
        assert (await called(talk, server)).output == "3"


@pytest.mark.rule("X48", "api-16.2", "api-16.3")
async def test_connecting_tells_its_steps_and_how_it_failed(talk: Talk) -> None:
    async def events(server_id: str) -> list[Any]:
        reply = await talk.http.get(f"/v1/mcp-servers/connect/{server_id}")
        assert reply.headers["content-type"].startswith("text/event-stream")
        return [orjson.loads(line[6:]) for line in reply.text.split("\n\n") if line]

    async with mcp_http(demo()) as served:
        config = {"mcp_server_type": "streamable_http", "server_url": served.url}
        body = {"server_name": "open", "config": config}
        server_id = (await talk.http.post("/v1/mcp-servers/", json=body)).json()["id"]
        attempt, success = await events(server_id)
        assert attempt == {"event": "connection_attempt", "server_name": "open"}
        assert success["event"] == "success"
        assert "add" in {tool["name"] for tool in success["tools"]}
        await talk.mcp.sessions.close_all()
    _, failed = await events(server_id)
    assert failed["event"] == "error"
    async with guarded_server(talk, Porter()) as server:
        steps = await sign_in(talk, server, refuse=True)
        assert steps[-1].event == "error"
        assert "access_denied" in str(steps[-1].message)
    for unknown in ("", "?state=nobody&code=1"):
        reply = await talk.http.get(f"{CALLBACK}{unknown}")
        assert (reply.status_code, reply.json()["status"]) == (200, "error")
