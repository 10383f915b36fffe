"""Eunoe as an MCP server, at one address beside the API."""

from typing import Final

from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from eunoe.http.deps import Runtime
from eunoe.http.replies import JsonReply


class _Endpoint:
    """An ASGI application, since the protocol's own library answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        runtime: Runtime = scope["app"].state.runtime
        if runtime.offer is not None:
            await runtime.offer(scope, receive, send)
            return
        absent: Response = JsonReply({"detail": "NOT_FOUND: There is nothing here."}, status=404)
        await absent(scope, receive, send)


route: Final = Route("/mcp", _Endpoint(), include_in_schema=False)
