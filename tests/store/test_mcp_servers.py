"""MCP servers in the database: sealed, and seen by their organization alone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eunoe import ids
from eunoe.domain.mcp_servers import HttpServer, McpServer
from eunoe.domain.tools import Tool
from eunoe.store import mcp_servers, tools
from eunoe.store.db import Actor, Database
from eunoe.store.rotation import rotate

pytestmark = pytest.mark.anyio

OURS = Actor()
THEIRS = Actor(
    organization_id="org-00000000-0000-4000-8000-000000000007",
    user_id="user-00000000-0000-4000-8000-000000000007",
)
NOW = datetime(2024, 7, 1, tzinfo=UTC)
KEY = "very secret"
SERVER = McpServer(
    id=ids.new("mcp_server"),
    name="web",
    config=HttpServer(kind="sse", url="https://example.com", auth_token=KEY),
    created_at=NOW,
    updated_at=NOW,
)
TOOL = Tool(id=ids.new("tool"), name="add", tool_type="external_mcp", description="", parameters={})


@pytest.fixture
async def db(database: Database) -> Database:
    async with database.write(OURS) as tx:
        await mcp_servers.insert(tx, SERVER)
        await tools.upsert(tx, TOOL)
        await mcp_servers.claim_tools(tx, SERVER.id, {"add": TOOL.id})
        await mcp_servers.keep_grant(tx, SERVER.id, {"tokens": {"access_token": KEY}})
        await mcp_servers.await_answer(tx, SERVER.id, "state")
    return database


@pytest.mark.rule("api-1.11", "api-16.2")
async def test_another_organization_sees_nothing_of_a_server(db: Database) -> None:
    async with db.write(THEIRS) as tx:
        assert await mcp_servers.get(tx, SERVER.id) is None
        assert await mcp_servers.all_of(tx) == []
        assert await mcp_servers.remote_names(tx, SERVER.id) == {}
        assert await mcp_servers.of_tool(tx, TOOL.id) is None
        assert await mcp_servers.grant(tx, SERVER.id) == {}
        assert await mcp_servers.answered(tx, "state") is None
        await mcp_servers.forget_state(tx, "state")
        await mcp_servers.delete_tools(tx, [TOOL.id])
        await mcp_servers.keep_grant(tx, SERVER.id, {"tokens": {}})
        assert not await mcp_servers.update(tx, SERVER)
        assert not await mcp_servers.delete(tx, SERVER.id)
        await mcp_servers.insert(tx, replace(SERVER, id=ids.new("mcp_server")))
    async with db.read(OURS) as tx:
        assert await mcp_servers.get(tx, SERVER.id) == SERVER
        owned = await mcp_servers.of_tool(tx, TOOL.id)
        assert owned is not None
        assert owned.remote_name == "add"
        assert await mcp_servers.grant(tx, SERVER.id) == {"tokens": {"access_token": KEY}}


@pytest.mark.rule("X48")
async def test_a_sign_in_is_answered_once(db: Database) -> None:
    async with db.write(THEIRS) as tx:
        assert not await mcp_servers.answer(tx, "nobody", {"code": "1"})
        assert await mcp_servers.answer(tx, "state", {"code": "1"})
        assert not await mcp_servers.answer(tx, "state", {"code": "2"})
    async with db.write(OURS) as tx:
        assert await mcp_servers.answered(tx, "state") == {"code": "1"}
        await mcp_servers.forget_state(tx, "state")
        assert await mcp_servers.answered(tx, "state") is None
        assert not await mcp_servers.answer(tx, "state", {"code": "3"})


@pytest.mark.rule("X45")
async def test_nothing_secret_is_readable_and_all_of_it_is_sealed_anew(db: Database) -> None:
    async def stored() -> list[str]:
        async with db.read(OURS) as tx:
            rows = await tx.fetch("SELECT config_sealed FROM mcp_servers")
            rows += await tx.fetch("SELECT grant_sealed FROM mcp_oauth_sessions")
        return [row[0] for row in rows]

    before = await stored()
    assert KEY not in str(before)
    assert "example.com" not in str(before)
    assert (await rotate(db)).renewed == len(before)
    assert not set(before) & set(await stored())
    async with db.read(OURS) as tx:
        assert await mcp_servers.get(tx, SERVER.id) == SERVER


@pytest.mark.rule("api-16.2")
async def test_with_a_server_go_its_tools_and_grants(db: Database) -> None:
    async with db.write(OURS) as tx:
        assert await mcp_servers.delete(tx, SERVER.id)
        assert await tools.get(tx, TOOL.id) is None
        assert await tx.fetch_value("SELECT COUNT(*) FROM mcp_tools") == 0
        assert await tx.fetch_value("SELECT COUNT(*) FROM mcp_oauth_sessions") == 0
