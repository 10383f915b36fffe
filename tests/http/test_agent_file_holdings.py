"""What else travels in an agent file: folders with the texts of their files, and MCP servers."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx
import pytest

from eunoe.domain.messages import Json
from eunoe.store.db import Database
from tests.fixtures.mcp import demo, mcp_http
from tests.http.library import PATIENCE_S, Library, library, pdf
from tests.http.talks import Talk, talking

__all__ = ["library"]

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-7.1", "api-7.2")]

TEXTS = {"notes.md": "# Boat\n\nThe rudder is brass.\n", "paper.pdf": "The keel is oak."}


async def filed(http: httpx.AsyncClient, agent_id: str) -> Json:
    reply = await http.get(f"/v1/agents/{agent_id}/export")
    assert reply.status_code == 200, reply.text
    file: Json = reply.json()
    return file


async def brought(http: httpx.AsyncClient, file: Json) -> httpx.Response:
    return await http.post("/v1/agents/import", files={"file": ("agent.af", json.dumps(file))})


async def test_a_folder_comes_along_with_the_texts_of_its_files(library: Library) -> None:
    folder = await library.folder("boats", description="All of them", instructions="Look here.")
    empty = await library.folder("cars")
    await library.read(folder.id, "notes.md", TEXTS["notes.md"].encode())
    await library.read(folder.id, "paper.pdf", pdf(TEXTS["paper.pdf"]))
    agent = await library.agent(folder_ids=[folder.id, empty.id])
    file = await filed(library.http, agent.id)
    assert [(one["id"], one["name"]) for one in file["sources"]] == [
        ("source-0", "boats"),
        ("source-1", "cars"),
    ]
    assert [one["id"] for one in file["files"]] == ["file-0", "file-1"]
    assert {one["file_name"]: one["content"].strip() for one in file["files"]} == {
        name: text.strip() for name, text in TEXTS.items()
    }
    (entry,) = file["agents"]
    assert entry["source_ids"] == ["source-0", "source-1"]
    assert [one["id"] for one in entry["files_agents"]] == ["file_agent-0", "file_agent-1"]
    assert folder.id not in json.dumps(file)

    made = (await brought(library.http, file)).json()
    assert made["warnings"] == []
    (copy,) = made["agent_ids"]
    held = [one async for one in library.letta.agents.folders.list(copy)]
    names = {one.name: one for one in held}
    assert len(held) == 2
    assert all(name.startswith(("boats_", "cars_")) for name in names)
    boats = next(one for name, one in names.items() if name.startswith("boats_"))
    assert (boats.description, boats.instructions) == ("All of them", "Look here.")
    found: dict[str, str] = {}
    async for one in library.letta.folders.files.list(boats.id):
        settled = await library.settled(boats.id, one.id)
        assert settled.processing_status == "completed"
        found[settled.file_name] = settled.content.strip()
    assert found == {name: text.strip() for name, text in TEXTS.items()}
    said, status = await library.call(copy, "grep_files", pattern="keel")
    assert (status, "The keel is oak." in said) == ("success", True)
    with anyio.fail_after(PATIENCE_S):
        again = await filed(library.http, copy)
    assert [one["content"] for one in again["files"]] == [one["content"] for one in file["files"]]


@pytest.fixture
async def talk(database: Database) -> AsyncGenerator[Talk]:
    async with talking(database) as talk:
        yield talk


async def connected(talk: Talk, url: str) -> tuple[str, str]:
    """Return the ids of a server with secrets in its settings, and of an agent with its tool."""
    config = {
        "mcp_server_type": "streamable_http",
        "server_url": f"{url}?key=s3cret",
        "custom_headers": {"X-Key": "s3cret"},
    }
    body = {"server_name": "demo", "config": config}
    server = (await talk.http.post("/v1/mcp-servers/", json=body)).json()
    tools = (await talk.http.get(f"/v1/mcp-servers/{server['id']}/tools")).json()
    agent = await talk.http.post(
        "/v1/agents/",
        json={"model": "openai/m", "tool_ids": [tools[0]["id"]], "include_base_tools": False},
    )
    return server["id"], agent.json()["id"]


async def test_the_server_of_a_tool_comes_along_without_its_secrets(talk: Talk) -> None:
    async with mcp_http(demo()) as served:
        server_id, agent_id = await connected(talk, served.url)
        file = await filed(talk.http, agent_id)
        (shown,) = file["mcp_servers"]
        assert (shown["id"], shown["server_url"]) == ("mcp_server-0", served.url)
        text = json.dumps(file)
        assert "s3cret" not in text
        assert server_id not in text

        here = (await brought(talk.http, file)).json()
        await talk.http.delete(f"/v1/mcp-servers/{server_id}")
        made = (await brought(talk.http, file)).json()
        assert here["warnings"] == made["warnings"] == []
        (server,) = (await talk.http.get("/v1/mcp-servers/")).json()
        assert (server["server_name"], server["server_url"]) == ("demo", served.url)
        assert server["id"] != server_id
        agent = (await talk.http.get(f"/v1/agents/{made['agent_ids'][0]}")).json()
        (tool,) = agent["tools"]
        assert tool["metadata_"]["mcp"]["server_id"] == server["id"]
        changes = (await talk.http.patch(f"/v1/mcp-servers/{server['id']}/refresh")).json()
        assert tool["name"] not in changes["added"]


async def test_what_a_file_may_not_bring_is_left_out_or_refused(talk: Talk) -> None:
    agent = (await talk.http.post("/v1/agents/", json={"model": "openai/m"})).json()
    file = await filed(talk.http, agent["id"])
    command: Any = {
        "id": "mcp_server-0",
        "server_type": "stdio",
        "server_name": "shell",
        "stdio_config": {"command": "sh", "args": ["-c", "true"]},
    }
    made = (await brought(talk.http, {**file, "mcp_servers": [command]})).json()
    assert any("shell runs a command" in one for one in made["warnings"])
    assert (await talk.http.get("/v1/mcp-servers/")).json() == []
    lost = {"id": "file-0", "source_id": "source-9", "file_name": "a.txt", "content": "x"}
    held = {"id": "file_agent-0", "file_id": "file-0", "source_id": "source-9"}
    (entry,) = file["agents"]
    for bad in (
        {"files": [lost]},
        {"agents": [{**entry, "files_agents": [held]}]},
        {"mcp_servers": [{**command, "server_type": "carrier pigeon"}]},
        {"files": [{**lost, "file_name": ".hidden"}], "sources": [{"id": "source-9", "name": "s"}]},
    ):
        refused = await brought(talk.http, {**file, **bad})
        assert (refused.status_code, refused.json()["detail"] != "") == (400, True)
