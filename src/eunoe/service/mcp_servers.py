"""MCP servers, and their tools as tools of the organization."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from eunoe import ids
from eunoe.domain.mcp_schemas import Fitted, fitted
from eunoe.domain.mcp_servers import McpConfig, McpServer, moved, unmasked
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolResult
from eunoe.errors import (
    EunoeError,
    Invalid,
    McpError,
    McpServerMissing,
    Missing,
    ToolArgumentsInvalid,
    ToolNameTaken,
)
from eunoe.runs.mcp_calls import McpCalls
from eunoe.service import states
from eunoe.service.stamps import made_by, touched_by
from eunoe.store import mcp_servers, secrets, tools
from eunoe.store.db import Actor, Database, Tx, to_micros
from eunoe.tools.catalog import builtin_tools
from eunoe.tools.mcp_sessions import RemoteTool, Target

_NAME_CHARS: Final = 64
_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_TRIES: Final = 20

_log = structlog.get_logger("eunoe.mcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The names of the tools that a refresh changed. `rejected` are those no model can be given."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


async def create(
    db: Database, calls: McpCalls, actor: Actor, *, name: str, config: McpConfig
) -> McpServer:
    """Store a server and read its tools, if it answers (api 16.2).

    Raises `McpAddressRefused`, `McpStdioDisabled`, `McpServerNameTaken`.
    """
    calls.sessions.hosts.check(config)
    server = McpServer(id=ids.new("mcp_server"), name=_named(name), config=config, **made_by(actor))
    async with db.write(actor) as tx:
        await mcp_servers.insert(tx, server)
    await _refresh_if_it_answers(db, calls, actor, server)
    return server


async def retrieve(db: Database, actor: Actor, server_id: str) -> McpServer:
    async with db.read(actor) as tx:
        return await known(tx, server_id)


async def change(
    db: Database, calls: McpCalls, actor: Actor, server_id: str, changed: McpServer
) -> McpServer:
    """Replace a server's name and configuration, and read its tools anew, if it answers.

    What is masked in the configuration stays as it is stored, and masked in what is returned.
    """
    calls.sessions.hosts.check(changed.config)
    async with db.write(actor) as tx:
        stored = await known(tx, server_id, held=True)
        config = moved(changed.config, stored.config)
        shown = replace(changed, name=_named(changed.name), config=config, **touched_by(actor))
        server = replace(shown, config=unmasked(config, stored.config))
        await mcp_servers.update(tx, server)
        if server.name != stored.name:
            owned = await mcp_servers.remote_names(tx, server_id)
            for tool in (await tools.by_ids(tx, list(owned.values()))).values():
                await tools.update(tx, _under(tool, server))
    await calls.sessions.drop(server_id)
    await _refresh_if_it_answers(db, calls, actor, server)
    return shown


async def delete(db: Database, calls: McpCalls, actor: Actor, server_id: str) -> None:
    """Remove a server with its tools; agents that had them have them no longer."""
    async with db.write(actor) as tx:
        if not await mcp_servers.delete(tx, server_id):
            raise McpServerMissing
    await calls.sessions.drop(server_id)


async def refresh(
    db: Database, calls: McpCalls, actor: Actor, server_id: str, *, agent_id: str | None = None
) -> Changes:
    """Read the server's tools anew; raise `McpError` where they cannot be had, changing nothing."""
    async with db.read(actor) as tx:
        server = await known(tx, server_id)
        variables: dict[str, str] = {}
        if agent_id is not None:
            await states.known(tx, agent_id)
            variables = await secrets.values_of(tx, agent_id)
    target = calls.target(actor, server, variables, agent_id=agent_id)
    return await _read(db, calls, actor, target)


async def heard_of_change(db: Database, calls: McpCalls, target: Target) -> None:
    """Read the tools anew over the session that says they changed: another is another process."""
    actor = Actor(organization_id=target.organization_id, user_id=target.user_id)
    server = await retrieve(db, actor, target.server_id)
    # Whoever changed the server meanwhile has it read as it is now.
    if to_micros(server.updated_at) == target.revision:
        await _read(db, calls, actor, target)


async def _read(db: Database, calls: McpCalls, actor: Actor, target: Target) -> Changes:
    found = await calls.sessions.list_tools(target)
    async with db.write(actor) as tx:
        return await _synced(tx, await known(tx, target.server_id, held=True), found)


async def tools_of(db: Database, actor: Actor, server_id: str) -> list[Tool]:
    """Return the server's tools as they are registered, by the names it gives them."""
    async with db.read(actor) as tx:
        await known(tx, server_id)
        owned = await mcp_servers.remote_names(tx, server_id)
        found = await tools.by_ids(tx, list(owned.values()))
    return [found[tool_id] for tool_id in owned.values() if tool_id in found]


async def tool_of(db: Database, actor: Actor, server_id: str, tool_id: str) -> Tool:
    """Return a tool of this server; raise `Missing`."""
    for tool in await tools_of(db, actor, server_id):
        if tool.id == tool_id:
            return tool
    raise Missing(f"The MCP server has no tool {tool_id}; refresh it to read its tools anew.")


async def run_tool(
    db: Database, calls: McpCalls, actor: Actor, tool: Tool, arguments: Json
) -> ToolResult:
    """Call a tool outside of any agent; raise `ToolArgumentsInvalid` and `McpError`."""
    lacking = [name for name in tool.parameters.get("required", ()) if name not in arguments]
    if lacking:
        raise ToolArgumentsInvalid(f"`{tool.name}` needs the argument `{lacking[0]}`.")
    try:
        return await calls.call(actor, tool, arguments)
    except McpError:
        raise
    except EunoeError as error:
        return ToolResult(ok=False, output=str(error))


async def known(tx: Tx, server_id: str, *, held: bool = False) -> McpServer:
    server = await mcp_servers.get(tx, server_id, held=held)
    if server is None:
        raise McpServerMissing(f"There is no MCP server {server_id}.")
    return server


async def _refresh_if_it_answers(
    db: Database, calls: McpCalls, actor: Actor, server: McpServer
) -> None:
    """Read the tools of a server that may be down: it is stored all the same."""
    try:
        await refresh(db, calls, actor, server.id)
    except EunoeError as error:
        _log.info("mcp.not_read", server=server.name, code=error.code)


# Their tools as ours


async def _synced(tx: Tx, server: McpServer, found: Sequence[RemoteTool]) -> Changes:
    """Make the registered tools those that the server has; what people changed of them stays."""
    owned = await mcp_servers.remote_names(tx, server.id)
    stored = await tools.by_ids(tx, list(owned.values()))
    fits = {one.name: fitted(one.schema) for one in found}
    fit = [one for one in found if fits[one.name].unusable is None]
    fresh = [one for one in fit if one.name not in owned]
    updated: list[str] = []
    for one in fit:
        old = stored.get(owned.get(one.name, ""))
        new = None if old is None else _registered(old, one, fits[one.name], server)
        if new is not None and new != old:
            await tools.update(tx, replace(new, last_updated_by_id=tx.actor.user_id))
            updated.append(new.name)
    names = await _free_names(tx, [one.name for one in fresh], server)
    claimed: dict[str, str] = {}
    for one in fresh:
        blank = Tool(
            id=ids.new("tool"),
            name=names[one.name],
            tool_type="external_mcp",
            description="",
            parameters={},
            created_by_id=tx.actor.user_id,
        )
        claimed[one.name] = await _inserted(tx, _registered(blank, one, fits[one.name], server))
    await mcp_servers.claim_tools(tx, server.id, claimed)
    listed = {one.name for one in found}
    gone = {name: tool_id for name, tool_id in owned.items() if name not in listed}
    await mcp_servers.delete_tools(tx, list(gone.values()))
    return Changes(
        added=tuple(names.values()),
        updated=tuple(updated),
        deleted=tuple(stored[tool_id].name for tool_id in gone.values() if tool_id in stored),
        rejected=tuple(one.name for one in found if fits[one.name].unusable is not None),
    )


async def _inserted(tx: Tx, tool: Tool) -> str:
    """Store a new tool; raise `ToolNameTaken` where somebody took its name meanwhile."""
    made = await tools.upsert(tx, tool)
    if made.id != tool.id:
        raise ToolNameTaken(name=tool.name)
    return made.id


def _registered(tool: Tool, remote: RemoteTool, fit: Fitted, server: McpServer) -> Tool:
    """Return `tool` as the server describes it now (X49)."""
    told: Json = {"server_id": server.id, "tool_name": remote.name}
    told["schema_status"] = fit.health
    told["schema_warnings"] = list(fit.reasons)
    described = replace(
        tool,
        description=remote.description,
        parameters=fit.parameters,
        idempotent=remote.idempotent,
        metadata={**tool.metadata, "mcp": told},
    )
    return _under(described, server)


def _under(tool: Tool, server: McpServer) -> Tool:
    """Return a tool of the server with the server's name in its tags and metadata."""
    others = (one for one in tool.tags if not one.startswith("mcp:"))
    told = {**tool.metadata["mcp"], "server_name": server.name}
    return replace(
        tool, tags=(f"mcp:{server.name}", *others), metadata={**tool.metadata, "mcp": told}
    )


async def _free_names(tx: Tx, wanted: Sequence[str], server: McpServer) -> dict[str, str]:
    """Return a name for each tool that no other has: its own where it can be (FIX-62).

    A name that is taken, or a built-in tool's, is followed by the server's.
    """
    options = {name: list(_options(name, server.name)) for name in wanted}
    every = [option for some in options.values() for option in some]
    taken = set(await tools.by_names(tx, every)) | {tool.name for tool in builtin_tools()}
    names: dict[str, str] = {}
    for name, some in options.items():
        free = next((option for option in some if option not in taken), None)
        if free is None:
            raise ToolNameTaken(name=name)
        names[name] = free
        taken.add(free)
    return names


def _options(name: str, server_name: str) -> Iterable[str]:
    """Yield the names that a tool may have here, which every model's provider takes."""
    own = _NAME.sub("_", name)[:_NAME_CHARS] or "tool"
    yield own
    suffix = "__" + (_NAME.sub("_", server_name).strip("_")[:24] or "mcp")
    yield own[: _NAME_CHARS - len(suffix)] + suffix
    for number in range(2, _TRIES):
        more = f"{suffix}_{number}"
        yield own[: _NAME_CHARS - len(more)] + more


def _named(name: str) -> str:
    if not name.strip():
        raise Invalid("An MCP server needs a name.")
    return name
