"""MCP servers and their tools (api 16)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import Body, Depends, Request
from starlette.responses import Response, StreamingResponse

from eunoe.domain.mcp_connections import Progress
from eunoe.domain.mcp_servers import McpConfig, StdioServer
from eunoe.errors import McpOriginRefused
from eunoe.http.deps import Me, RuntimeDep, given
from eunoe.http.origins import is_of_this_machine
from eunoe.http.paths import well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.http.scopes import CALLBACK
from eunoe.http.sse import frame
from eunoe.service import mcp_connections, mcp_servers
from eunoe.store import mcp_servers as stored
from eunoe.wire.mcp_servers import CreateBody, Server, UpdateBody, mcp_server, progress
from eunoe.wire.tools import RunToolBody, Tool, ToolExecution, execution, tool

router = v1("/mcp-servers", tag="mcp-servers")
callback = v1("/tools/mcp", tag="tools")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the end of a sign-in tells."""

    code: str | None = None
    state: str | None = None
    error: str | None = None
    error_description: str | None = None
    iss: str | None = None


@router.post("/", **answers("mcp_create_mcp_server", Server))
async def create(body: CreateBody, request: Request, me: Me) -> Response:
    """Store a server and register its tools, if it answers."""
    config = body.config.config()
    _from_no_page(request, config)
    made = await mcp_servers.create(
        me.db, me.runtime.mcp, me.actor, name=body.server_name, config=config
    )
    return JsonReply(mcp_server(made, masked=False))


@router.get("/", **answers("mcp_list_mcp_servers", list[Server]))
async def list_all(me: Me) -> Response:
    """List the servers, the oldest first; secrets are masked."""
    async with me.read() as tx:
        return JsonReply([mcp_server(one) for one in await stored.all_of(tx)])


@router.get("/{mcp_server_id}", **answers("mcp_retrieve_mcp_server", Server))
async def retrieve(mcp_server_id: str, me: Me) -> Response:
    server_id = well_formed(mcp_server_id, "mcp_server")
    return JsonReply(mcp_server(await mcp_servers.retrieve(me.db, me.actor, server_id)))


@router.patch("/{mcp_server_id}", **answers("mcp_update_mcp_server", Server))
async def update(mcp_server_id: str, body: UpdateBody, request: Request, me: Me) -> Response:
    """Change a server, and register its tools anew, if it answers."""
    server_id = well_formed(mcp_server_id, "mcp_server")
    wanted = body.applied(await mcp_servers.retrieve(me.db, me.actor, server_id))
    _from_no_page(request, wanted.config)
    made = await mcp_servers.change(me.db, me.runtime.mcp, me.actor, server_id, wanted)
    return JsonReply(mcp_server(made, masked=False))


@router.delete("/{mcp_server_id}", operation_id="mcp_delete_mcp_server", status_code=204)
async def delete(mcp_server_id: str, me: Me) -> Response:
    """Remove a server, its tools and what it granted."""
    await mcp_servers.delete(
        me.db, me.runtime.mcp, me.actor, well_formed(mcp_server_id, "mcp_server")
    )
    return Response(status_code=204)


@router.patch("/{mcp_server_id}/refresh", operation_id="mcp_refresh_mcp_server_tools")
async def refresh(mcp_server_id: str, me: Me, agent_id: str | None = None) -> Response:
    """Register the server's tools anew; with an agent's variables, if one is named."""
    changes = await mcp_servers.refresh(
        me.db, me.runtime.mcp, me.actor, well_formed(mcp_server_id, "mcp_server"), agent_id=agent_id
    )
    return JsonReply(changes)


@router.get("/{mcp_server_id}/tools", **answers("mcp_list_tools_for_mcp_server", list[Tool]))
async def list_tools(mcp_server_id: str, me: Me) -> Response:
    """List the tools of the server that are registered."""
    found = await mcp_servers.tools_of(me.db, me.actor, well_formed(mcp_server_id, "mcp_server"))
    return JsonReply([tool(one) for one in found])


@router.get("/{mcp_server_id}/tools/{tool_id}", **answers("mcp_retrieve_mcp_tool", Tool))
async def retrieve_tool(mcp_server_id: str, tool_id: str, me: Me) -> Response:
    server_id = well_formed(mcp_server_id, "mcp_server")
    return JsonReply(
        tool(await mcp_servers.tool_of(me.db, me.actor, server_id, well_formed(tool_id, "tool")))
    )


@router.post("/{mcp_server_id}/tools/{tool_id}/run", **answers("mcp_run_tool", ToolExecution))
async def run(
    mcp_server_id: str, tool_id: str, me: Me, body: Annotated[RunToolBody | None, Body()] = None
) -> Response:
    """Call a tool of the server; no agent sees it."""
    found = await mcp_servers.tool_of(
        me.db, me.actor, well_formed(mcp_server_id, "mcp_server"), well_formed(tool_id, "tool")
    )
    arguments = {} if body is None else body.args
    result = await mcp_servers.run_tool(me.db, me.runtime.mcp, me.actor, found, arguments)
    return JsonReply(execution(result))


@router.get("/connect/{mcp_server_id}", operation_id="mcp_connect_mcp_server")
async def connect(mcp_server_id: str, request: Request, me: Me) -> Response:
    """Stream the steps of connecting with a server, which may want its user to sign in."""
    server = await mcp_servers.retrieve(me.db, me.actor, well_formed(mcp_server_id, "mcp_server"))
    steps = mcp_connections.connect(
        me.db,
        me.runtime.mcp,
        me.actor,
        server,
        callback=f"{str(request.base_url).rstrip('/')}{CALLBACK}",
    )
    return StreamingResponse(
        _frames(steps),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@callback.get("/oauth/callback", operation_id="mcp_oauth_callback", deprecated=True)
async def end_sign_in(
    runtime: RuntimeDep, answer: Annotated[Answer, Depends(given(Answer))]
) -> Response:
    """Take what a sign-in came to; the state in the address is what lets it in."""
    found = await mcp_connections.answer(runtime.db, answer.state, asdict(answer))
    if not found:
        told = "No sign-in waits for this answer; connect with the server again."
        return JsonReply({"status": "error", "message": told})
    if answer.code is None:
        return JsonReply({"status": "error", "message": answer.error or "There was no code."})
    return JsonReply({"status": "success", "message": "You are signed in; close this page."})


async def _frames(steps: AsyncGenerator[Progress]) -> AsyncGenerator[bytes]:
    async with aclosing(steps):
        async for step in steps:
            yield frame(progress(step))


def _from_no_page(request: Request, config: McpConfig) -> None:
    """Raise `McpOriginRefused` where a page that is not this machine's own names a command."""
    if "origin" not in request.headers or not isinstance(config, StdioServer):
        return
    if not is_of_this_machine(request.headers):
        raise McpOriginRefused
