"""The half of our MCP server that speaks through the SDK, over HTTP or as a bridge over pipes."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx2
import mcp_types as types
import orjson
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from eunoe.errors import EunoeError, McpUnreachable
from eunoe.tools.mcp_offer import KEY_ID, Asker, Deed

_NAME: Final = "eunoe"
_INSTRUCTIONS: Final = (
    "Agents that remember. List them, talk to one, and read, search or edit what it remembers."
)
_USER: Final = "user_id"


class Serving:
    """Answers over streamable HTTP; see `mcp_offer.Serving`."""

    def __init__(self, deeds: Sequence[Deed], *, version: str) -> None:
        self._deeds = {deed.name: deed for deed in deeds}
        server: Server[dict[str, Any]] = Server(
            _NAME,
            version=version,
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        self._manager = StreamableHTTPSessionManager(server, stateless=True)

    async def run(self, started: asyncio.Event) -> None:
        async with self._manager.run():
            started.set()
            await asyncio.Event().wait()

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI has no types of its own
        await self._manager.handle_request(scope, receive, send)

    async def _list(
        self, context: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        del context, params  # One page, the same for all.
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=deed.name,
                    description=deed.description,
                    input_schema=deed.parameters,
                    annotations=types.ToolAnnotations(read_only_hint=deed.read_only),
                )
                for deed in self._deeds.values()
            ]
        )

    async def _call(
        self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Do a deed; what goes wrong is told, for whoever called to act on."""
        deed = self._deeds.get(params.name)
        arguments = params.arguments or {}
        if deed is None:
            return _told(f"There is no tool {params.name}.", failed=True)
        lacking = [name for name in deed.parameters["required"] if name not in arguments]
        if lacking:
            return _told(f"The argument `{lacking[0]}` is missing.", failed=True)
        asker = Asker()
        if context.request is not None:
            headers, scope = context.request.headers, context.request.scope
            asker = Asker(user_id=headers.get(_USER), key_id=scope.get(KEY_ID))
        try:
            return _told(await deed.do(asker, arguments))
        except EunoeError as error:
            return _told(str(error), failed=True)


def _told(what: object, *, failed: bool = False) -> types.CallToolResult:
    if isinstance(what, str):
        text, structured = what, None
    else:
        text, structured = orjson.dumps(what).decode(), what
    return types.CallToolResult(
        content=[types.TextContent(text=text)], structured_content=structured, is_error=failed
    )


async def bridge(url: str, headers: Mapping[str, str], *, version: str) -> None:
    """Serve over standard input and output what the server at `url` offers.

    Raises `McpUnreachable` where there is none.
    """
    try:
        async with (
            httpx2.AsyncClient(
                headers=dict(headers), timeout=httpx2.Timeout(10, read=None), trust_env=False
            ) as http,
            Client(streamable_http_client(url, http_client=http), cache=None) as upstream,
        ):
            await _pass_on(upstream, version=version)
    except (ExceptionGroup, MCPError, httpx2.HTTPError) as error:
        raise McpUnreachable(
            f"No server answers at {url}; start one with `eunoe server`, or name it with --url."
        ) from error


async def _pass_on(upstream: Client, *, version: str) -> None:
    async def listed(
        context: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        del context
        return await upstream.list_tools(cursor=None if params is None else params.cursor)

    async def called(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        del context
        return await upstream.call_tool(params.name, params.arguments)

    server: Server[dict[str, Any]] = Server(
        _NAME,
        version=version,
        instructions=_INSTRUCTIONS,
        on_list_tools=listed,
        on_call_tool=called,
    )
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
