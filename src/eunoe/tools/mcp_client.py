"""One open session with an MCP server, through the official SDK.

The SDK takes a second to import, so that nothing imports this module before a session is wanted.
"""

import contextlib
import logging
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any, Final, NoReturn, cast

import anyio
import httpx2
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from eunoe.domain.mcp_servers import HttpServer, StdioServer, headers_of
from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolResult
from eunoe.errors import McpAuthorizationNeeded, McpCallRefused, McpTimedOut, McpUnreachable
from eunoe.tools.mcp_addresses import Hosts
from eunoe.tools.mcp_grants import SignIn
from eunoe.tools.mcp_http import Seen, http_client
from eunoe.tools.mcp_oauth import SigningIn, stored_token
from eunoe.tools.mcp_process import spoken_to
from eunoe.tools.mcp_results import result_of
from eunoe.tools.mcp_sessions import Closed, Limits, RemoteTool, Target

_AGENT_ID: Final = "X-Agent-Id"
_DESCRIPTION_CHARS: Final = 8_000
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TERMINATED: Final = "Session terminated"
_INFO: Final = types.Implementation(name="eunoe", version=version("eunoe"))
# The answer as it came, read as little as possible.
_answer: Final = cast("TypeAdapter[types.CallToolResult]", TypeAdapter(dict[str, Any]))

# What the libraries write may hold what a server said; the log gets our own words.
for _name in ("client", "httpcore2", "httpx2", "mcp"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@asynccontextmanager
async def connection(
    target: Target,
    *,
    hosts: Hosts,
    limits: Limits,
    changed: Callable[[], None],
    auth: httpx2.Auth | None = None,
    challenge: bool = False,
) -> AsyncGenerator["SdkConnection"]:
    """Open a session, and close it with the block. `changed` is called when its tools change.

    `auth` signs the requests in place of the user's grant; a `challenge` has it do so although
    the server did not ask.
    """
    config = target.config
    url = config.url if isinstance(config, HttpServer) else ""
    seen = Seen(url=url, challenge=challenge)
    hosts.check(config)

    async def notice(message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            changed()

    try:
        async with (
            _transport(target, hosts=hosts, limits=limits, seen=seen, auth=auth) as transport,
            Client(
                cast("Any", transport), message_handler=notice, client_info=_INFO, cache=None
            ) as client,
            anyio.create_task_group() as group,
        ):
            made = SdkConnection(client, seen=seen, limits=limits)
            # Some servers let everybody in and say only now that they do not.
            made.tools = await made.list_tools()
            group.start_soon(_listen, client, changed)
            try:
                yield made
            finally:
                made.is_open = False
                group.cancel_scope.cancel()
    except (MCPError, httpx2.HTTPError, httpx2.StreamError, ValidationError, ExceptionGroup):
        if seen.is_unauthorized:
            raise McpAuthorizationNeeded(
                f"The MCP server {target.name} wants its user to sign in."
            ) from None
        if seen.refused:
            raise seen.refused[-1] from None
        raise


async def sign_in(target: Target, how: SignIn, *, hosts: Hosts, limits: Limits) -> Json:
    """Let a person sign in with a server; return what they were granted.

    Raises `McpAuthorizationNeeded` where they did not, and whatever the SDK does.
    """
    config = target.config
    if not isinstance(config, HttpServer):
        raise McpAuthorizationNeeded("Only an MCP server behind a URL can be signed in with.")
    flow = SigningIn(config.url, how)
    async with connection(
        target, hosts=hosts, limits=limits, changed=lambda: None, auth=flow.auth, challenge=True
    ):
        return flow.granted()


@asynccontextmanager
async def _transport(
    target: Target, *, hosts: Hosts, limits: Limits, seen: Seen, auth: httpx2.Auth | None
) -> AsyncGenerator[AbstractAsyncContextManager[Any]]:
    config = target.config
    if isinstance(config, StdioServer):
        yield spoken_to(config, message_bytes=limits.message_bytes)
        return
    made = http_client(
        _headers(config, target.agent_id),
        hosts=hosts,
        message_bytes=limits.message_bytes,
        connect_s=limits.connect_s,
        seen=seen,
        auth=auth or await _granted(target, config),
    )
    if config.kind == "sse":

        def given(
            headers: object = None, timeout: object = None, auth: object = None
        ) -> httpx2.AsyncClient:
            del headers, timeout, auth  # It has its own already.
            return made

        yield sse_client(config.url, httpx_client_factory=given)
        return
    async with made as client:
        yield streamable_http_client(
            config.url, http_client=client, max_sse_event_size=limits.message_bytes
        )


async def _granted(target: Target, config: HttpServer) -> httpx2.Auth | None:
    """Return what the user was granted; a token in the configuration is used in its place."""
    if target.grants is None or config.auth_token:
        return None
    key = f"{target.server_id} {target.user_id}"
    return stored_token(target.grants, await target.grants.load(), url=config.url, key=key)


def _headers(config: HttpServer, agent_id: str | None) -> dict[str, str]:
    """Return the headers of every request; raise `McpUnreachable` for what is none.

    Without its value: the HTTP library would show it, and it may be a secret.
    """
    headers = headers_of(config)
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not (value.isascii() and value.isprintable()):
            raise McpUnreachable(f"The MCP server's header {name!r} is not one that can be sent.")
    return headers if agent_id is None else {**headers, _AGENT_ID: agent_id}


async def _listen(client: Client, changed: Callable[[], None]) -> None:
    """Hear of changed tools from servers of the newer protocol, which tell only who listens."""
    if client.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
        return
    quiet = (ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError)
    with contextlib.suppress(*quiet):
        async with client.listen(tools_list_changed=True) as events:
            async for _ in events:
                changed()


class SdkConnection:
    """An open session; see `mcp_sessions.Connection`."""

    def __init__(self, client: Client, *, seen: Seen, limits: Limits) -> None:
        self._client = client
        self._seen = seen
        self._limits = limits
        self.is_open = True
        self.tools: tuple[RemoteTool, ...] = ()

    async def check(self) -> None:
        """Ask whether the server is still there; a server without sessions needs no asking."""
        if self._client.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
            try:
                await self._client.session.send_ping()
            except MCPError as error:
                self._raise(error)

    async def list_tools(self) -> tuple[RemoteTool, ...]:
        """Return the tools of all pages; raise rather than return a part of them."""
        found: dict[str, RemoteTool] = {}
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            try:
                page = await self._client.list_tools(cursor=cursor)
            except MCPError as error:
                if error.code == types.METHOD_NOT_FOUND and cursor is None:
                    return ()
                self._raise(error)
            found.update((tool.name, _described(tool)) for tool in page.tools)
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found.values())
            if cursor in seen or len(found) > self._limits.most_tools:
                raise McpCallRefused("The MCP server's list of tools does not end.")
            seen.add(cursor)

    async def call(
        self, name: str, arguments: Json, *, progressed: Callable[[], None]
    ) -> ToolResult:
        """Call a tool, and do not judge the result by the server's own schema of it.

        A foreign pattern could keep this process busy for ever; the model reads what it gets.
        """

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            progressed()

        request = types.CallToolRequest(
            params=types.CallToolRequestParams(name=name, arguments=arguments)
        )
        try:
            answer = await self._client.session.send_request(
                request, _answer, progress_callback=heard
            )
        except MCPError as error:
            if _is_lost(error) or self._seen.is_unauthorized:
                self._raise(error)
            return ToolResult(ok=False, output=f"The MCP server refused the call: {error}")
        except ValidationError:
            return ToolResult(ok=False, output="The MCP server's answer is not a result of a tool.")
        given = cast("Mapping[str, object]", answer)
        if given.get("resultType") == "input_required":
            return ToolResult(ok=False, output="The tool wants to ask its user, which it cannot.")
        return result_of(given)

    def _raise(self, error: MCPError) -> NoReturn:
        """Raise what the failure of a request means."""
        if self._seen.is_unauthorized:
            # The next session begins with what the user was granted by then.
            self.is_open = False
            raise McpAuthorizationNeeded from error
        if error.code == types.INVALID_REQUEST and _TERMINATED in str(error):
            raise Closed from error
        if error.code == types.CONNECTION_CLOSED:
            self.is_open = False
            if self._seen.is_unreachable:
                raise Closed from error
            raise McpUnreachable(
                "The connection to the MCP server was lost; what became of the request is unknown."
            ) from error
        if error.code == types.REQUEST_TIMEOUT:
            raise McpTimedOut from error
        raise McpCallRefused(f"The MCP server refused the request: {error}"[:500]) from error


def _is_lost(error: MCPError) -> bool:
    if error.code in {types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT}:
        return True
    return error.code == types.INVALID_REQUEST and _TERMINATED in str(error)


def _described(tool: types.Tool) -> RemoteTool:
    hints = tool.annotations
    return RemoteTool(
        name=tool.name,
        description=(tool.description or tool.title or "")[:_DESCRIPTION_CHARS],
        schema=tool.input_schema,
        idempotent=hints is not None and bool(hints.read_only_hint or hints.idempotent_hint),
    )
