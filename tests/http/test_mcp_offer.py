"""Eunoe as an MCP server, as the official SDK's client finds it."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from eunoe.domain.base_tools import rule
from eunoe.http.auth import PasswordGate
from eunoe.ids import DEFAULT_USER
from eunoe.service import keys
from eunoe.store import costs
from eunoe.store.costs import CostFilter
from eunoe.store.db import Actor, Database
from eunoe.testing.scripted import ScriptedModel, call, say
from tests.fixtures.web import served_app
from tests.http.talks import ADDRESS, Talk, talking

pytestmark = pytest.mark.anyio

SESAME = "open sesame"
UNKNOWN_USER = "user-00000000-0000-4000-8000-000000000009"


@pytest.fixture
async def talk(database: Database) -> AsyncGenerator[Talk]:
    async with talking(database) as talk:
        yield talk


@asynccontextmanager
async def client_of(app: Any, mode: str = "auto", **headers: str) -> AsyncGenerator[Client]:
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), headers=headers) as http,
        Client(streamable_http_client(f"{ADDRESS}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def told(client: Client, name: str, /, **arguments: Any) -> Any:
    """Return what a tool gave, its structure where it has one."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    return result.structured_content or "".join(getattr(one, "text", "") for one in result.content)


async def refused(client: Client, name: str, /, **arguments: Any) -> str:
    result = await client.call_tool(name, arguments)
    assert result.is_error
    return str(result.content)


@pytest.mark.rule("api-1.11", "FIX-62")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_agents_are_listed_talked_to_and_their_memory_edited(talk: Talk, mode: str) -> None:
    block: Any = {"label": "human", "value": "Name: Bob"}
    agent = await talk.letta.agents.create(
        name="Ada", model="openai/m", memory_blocks=[block], include_base_tools=False
    )
    async with client_of(talk.app, mode, user_id=UNKNOWN_USER) as client:
        offered = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(offered) == {
            "list_agents",
            "talk_to_agent",
            "read_agent_memory",
            "edit_agent_memory",
            "search_agent_memory",
            "remember_for_agent",
        }
        listed = await told(client, "list_agents", name="ada")
        assert [(one["id"], one["name"]) for one in listed["agents"]] == [(agent.id, "Ada")]
        talk.registry.model = model = ScriptedModel(say("Hello, Bob."))
        assert await told(client, "talk_to_agent", agent="Ada", message="Hi!") == "Hello, Bob."
        assert "Hi!" in str(model.requests[0].messages)
        read = await told(client, "read_agent_memory", agent=agent.id)
        assert [one["value"] for one in read["blocks"]] == ["Name: Bob"]
        await told(client, "edit_agent_memory", agent="Ada", label="human", value="Name: Eve")
        kept = await talk.letta.agents.blocks.retrieve("human", agent_id=agent.id)
        assert kept.value == "Name: Eve"
        await told(client, "remember_for_agent", agent="Ada", text="Eve likes figs.")
        found = await told(client, "search_agent_memory", agent="Ada", query="figs", limit=3)
        assert [one["text"] for one in found["memories"]] == ["Eve likes figs."]


@pytest.mark.rule("X3", "H1")
async def test_what_cannot_be_done_is_told(talk: Talk) -> None:
    for _ in range(2):
        await talk.letta.agents.create(name="Twin", model="openai/m", include_base_tools=False)
    asking = await talk.letta.agents.create(
        name="Ada",
        model="openai/m",
        include_base_tools=False,
        tools=["conversation_search"],
        tool_rules=[rule("requires_approval", "conversation_search")],  # pyright: ignore[reportArgumentType] -- as JSON
    )
    async with client_of(talk.app) as client:
        assert "no agent" in await refused(client, "talk_to_agent", agent="Nobody", message="Hi")
        assert "Several" in await refused(client, "read_agent_memory", agent="Twin")
        assert "missing" in await refused(client, "talk_to_agent", agent="Ada")
        assert "not a text" in await refused(client, "talk_to_agent", agent="Ada", message=5)
        assert "empty" in await refused(client, "remember_for_agent", agent="Ada", text=" ")
        assert "no tool" in await refused(client, "unheard_of")
        assert "label" in await refused(
            client, "edit_agent_memory", agent="Ada", label="gone", value=""
        )
        talk.registry.model = ScriptedModel(call(("conversation_search", {})))
        waits = await told(client, "talk_to_agent", agent=asking.id, message="Search.")
        assert "approve" in waits
        busy = await refused(client, "talk_to_agent", agent=asking.id, message="And?")
        assert "approv" in busy.lower()


@pytest.mark.rule("api-1.11")
async def test_the_password_guards_it(talk: Talk) -> None:
    guarded = PasswordGate(talk.app, password=SESAME)
    with pytest.raises(ExceptionGroup):
        async with client_of(guarded):
            raise AssertionError
    own = "localhost:8283"
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://["}, 403),
        # Any name can be made to stand for this machine.
        ({"Origin": ADDRESS}, 403),
        ({"Origin": ADDRESS, "Authorization": "Bearer any"}, 400),
        ({"Origin": f"http://{own}", "Host": own}, 400),
    ):
        reply = await talk.http.post("/mcp", json={}, headers=headers)
        assert reply.status_code == status, reply.text
    async with client_of(guarded, Authorization=f"Bearer {SESAME}") as client:
        assert (await told(client, "list_agents"))["total"] == 0


@pytest.mark.rule("api-1.11", "streaming-5.1")
@pytest.mark.parametrize("named", [{}, {"user_id": DEFAULT_USER}], ids=["its own", "another"])
async def test_what_is_asked_counts_for_the_key(
    talk: Talk, database: Database, named: dict[str, str]
) -> None:
    agent = await talk.letta.agents.create(model="openai/m", include_base_tools=False)
    text, key = await keys.create(database, name="editor", scope="admin")
    talk.registry.model = ScriptedModel(say("Hello."))
    async with client_of(talk.app, authorization=f"Bearer {text}", **named) as client:
        assert await told(client, "talk_to_agent", agent=agent.id, message="Hi!") == "Hello."
    async with database.read(Actor()) as tx:
        (spent,) = await costs.sums(tx, CostFilter(agent_id=agent.id), by="key")
    assert (spent.group, spent.steps) == (key.id, 1)


@pytest.mark.rule("X43")
async def test_the_command_passes_on_what_a_running_server_offers(
    talk: Talk, tmp_path: Any
) -> None:
    await talk.letta.agents.create(name="Ada", model="openai/m", include_base_tools=False)
    async with served_app(talk.app) as url:
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "eunoe", "mcp", "--url", url],
            env={"EUNOE_DATA_DIR": str(tmp_path)},
        )
        async with Client(command) as client:
            assert (await told(client, "list_agents"))["total"] == 1
