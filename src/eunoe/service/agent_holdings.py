"""What an agent of a file holds beside its memory, stored: folders, and MCP servers (api 7.2)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eunoe.domain.agent_files import AgentFile, AgentRecord
from eunoe.domain.mcp_servers import McpServer, StdioServer, served_by
from eunoe.domain.tools import Tool
from eunoe.runs import files as opening
from eunoe.store import file_texts, files, folders, mcp_servers, tools
from eunoe.store.db import Tx

_PART_BYTES: Final = 1024 * 1024


def allowed(found: Sequence[McpServer], *, told: list[str]) -> tuple[McpServer, ...]:
    """Return the servers that a file may bring: a command is for the operator alone to add."""
    commands = [one for one in found if isinstance(one.config, StdioServer)]
    told += [f"The MCP server {one.name} runs a command; left out: add it." for one in commands]
    return tuple(one for one in found if one not in commands)


async def servers(tx: Tx, found: Sequence[McpServer]) -> dict[str, McpServer]:
    """Return the servers by name; one of the name that is here already stays as it is."""
    held: dict[str, McpServer] = {}
    for one in found:
        stored = await mcp_servers.by_name(tx, one.name)
        if stored is None:
            await mcp_servers.insert(tx, one)
        held[one.name] = stored or one
    return held


async def remote(tx: Tx, tool: Tool, server: McpServer) -> Tool:
    """Store a tool of a server, as the file has it until the server is asked again."""
    stored = await tools.upsert(tx, served_by(tool, server.id))
    called = tool.metadata["mcp"].get("tool_name")
    name = called if isinstance(called, str) else tool.name
    await mcp_servers.claim_tools(tx, server.id, {name: stored.id})
    return stored


async def store_folders(tx: Tx, file: AgentFile, records: Sequence[AgentRecord]) -> None:
    """Store the folders with the texts of their files, and give them to their agents (7.2.2)."""
    for folder in file.folders:
        taken = await folders.id_of(tx, folder.name) is not None
        name = f"{folder.name}_{folder.id[-8:]}" if taken else folder.name
        await folders.insert(tx, replace(folder, name=name))
    for record in file.files:
        await files.insert(tx, record.file)
        text = record.content.encode("utf-8", "ignore")
        for position, start in enumerate(range(0, len(text), _PART_BYTES)):
            part = text[start : start + _PART_BYTES]
            await file_texts.add_part(tx, record.file.id, position, part)
    for record in records:
        for folder_id in record.folder_ids:
            await opening.attach(tx, record.agent, folder_id, at=record.agent.created_at)
