"""MCP servers and their tools (api 16)."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Body, Request
from starlette.responses import Response

from eunoe.domain.mcp_servers import McpConfig, StdioServer
from eunoe.errors import Invalid, McpOriginRefused
from eunoe.http.deps import ActorDep, RuntimeDep
from eunoe.http.replies import JsonReply
from eunoe.http.router import v1
from eunoe.ids import is_id
from eunoe.service import mcp_servers
from eunoe.store import mcp_servers as stored
from eunoe.wire.mcp_servers import (
    CreateBody,
    Executed,
    RunBody,
    Server,
    UpdateBody,
    executed,
    mcp_server,
)
from eunoe.wire.tools import Tool, tool

router = v1("/mcp-servers", tag="mcp-servers")


@router.post("/", operation_id="mcp_create_mcp_server", responses={200: {"model": Server}})
async def create(
    body: CreateBody, request: Request, runtime: RuntimeDep, actor: ActorDep
) -> Response:
    """Store a server and register its tools, if it answers."""
    config = body.config.config()
    _from_no_page(request, config)
    made = await mcp_servers.create(
        runtime.db, runtime.mcp, actor, name=body.server_name, config=config
    )
    return JsonReply(mcp_server(made, masked=False))


@router.get("/", operation_id="mcp_list_mcp_servers", responses={200: {"model": list[Server]}})
async def list_all(runtime: RuntimeDep, actor: ActorDep) -> Response:
    """List the servers, the oldest first; secrets are masked."""
    async with runtime.db.read(actor) as tx:
        return JsonReply([mcp_server(one) for one in await stored.all_of(tx)])


@router.get(
    "/{mcp_server_id}",
    operation_id="mcp_retrieve_mcp_server",
    responses={200: {"model": Server}},
)
async def retrieve(mcp_server_id: str, runtime: RuntimeDep, actor: ActorDep) -> Response:
    server_id = _server_id(mcp_server_id)
    return JsonReply(mcp_server(await mcp_servers.retrieve(runtime.db, actor, server_id)))


@router.patch(
    "/{mcp_server_id}",
    operation_id="mcp_update_mcp_server",
    responses={200: {"model": Server}},
)
async def update(
    mcp_server_id: str,
    body: UpdateBody,
    request: Request,
    runtime: RuntimeDep,
    actor: ActorDep,
) -> Response:
    """Change a server, and register its tools anew, if it answers."""
    server_id = _server_id(mcp_server_id)
    wanted = body.applied(await mcp_servers.retrieve(runtime.db, actor, server_id))
    _from_no_page(request, wanted.config)
    made = await mcp_servers.change(runtime.db, runtime.mcp, actor, server_id, wanted)
    return JsonReply(mcp_server(made, masked=False))


@router.delete("/{mcp_server_id}", operation_id="mcp_delete_mcp_server", status_code=204)
async def delete(mcp_server_id: str, runtime: RuntimeDep, actor: ActorDep) -> Response:
    """Remove a server, its tools and what it granted."""
    await mcp_servers.delete(runtime.db, runtime.mcp, actor, _server_id(mcp_server_id))
    return Response(status_code=204)


@router.patch("/{mcp_server_id}/refresh", operation_id="mcp_refresh_mcp_server_tools")
async def refresh(
    mcp_server_id: str, runtime: RuntimeDep, actor: ActorDep, agent_id: str | None = None
) -> Response:
    """Register the server's tools anew; with an agent's variables, if one is named."""
    changes = await mcp_servers.refresh(
        runtime.db, runtime.mcp, actor, _server_id(mcp_server_id), agent_id=agent_id
    )
    return JsonReply(changes)


@router.get(
    "/{mcp_server_id}/tools",
    operation_id="mcp_list_tools_for_mcp_server",
    responses={200: {"model": list[Tool]}},
)
async def list_tools(mcp_server_id: str, runtime: RuntimeDep, actor: ActorDep) -> Response:
    """List the tools of the server that are registered."""
    found = await mcp_servers.tools_of(runtime.db, actor, _server_id(mcp_server_id))
    return JsonReply([tool(one) for one in found])


@router.get(
    "/{mcp_server_id}/tools/{tool_id}",
    operation_id="mcp_retrieve_mcp_tool",
    responses={200: {"model": Tool}},
)
async def retrieve_tool(
    mcp_server_id: str, tool_id: str, runtime: RuntimeDep, actor: ActorDep
) -> Response:
    server_id = _server_id(mcp_server_id)
    return JsonReply(
        tool(await mcp_servers.tool_of(runtime.db, actor, server_id, _tool_id(tool_id)))
    )


@router.post(
    "/{mcp_server_id}/tools/{tool_id}/run",
    operation_id="mcp_run_tool",
    responses={200: {"model": Executed}},
)
async def run(
    mcp_server_id: str,
    tool_id: str,
    runtime: RuntimeDep,
    actor: ActorDep,
    body: Annotated[RunBody | None, Body()] = None,
) -> Response:
    """Call a tool of the server; no agent sees it."""
    found = await mcp_servers.tool_of(
        runtime.db, actor, _server_id(mcp_server_id), _tool_id(tool_id)
    )
    arguments = {} if body is None else body.args
    result = await mcp_servers.run_tool(runtime.db, runtime.mcp, actor, found, arguments)
    return JsonReply(executed(result))


def _server_id(text: str) -> str:
    """Return the id; raise `Invalid` for a malformed one (api 2.2)."""
    if not is_id("mcp_server", text):
        raise Invalid("The id of an MCP server has the form mcp_server-{uuid4}.")
    return text


def _tool_id(text: str) -> str:
    if not is_id("tool", text):
        raise Invalid("The id of a tool has the form tool-{uuid4}.")
    return text


def _from_no_page(request: Request, config: McpConfig) -> None:
    """Raise `McpOriginRefused` where a page of another origin names a command to run.

    Browsers let any page send requests to a server on its visitor's machine.
    """
    origin = request.headers.get("origin")
    if origin is None or not isinstance(config, StdioServer):
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise McpOriginRefused
