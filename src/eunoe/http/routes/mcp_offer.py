"""Eunoe as an MCP server, at one address beside the API."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from eunoe.http.deps import Runtime
from eunoe.http.origins import is_of_this_machine, is_own
from eunoe.http.replies import JsonReply
from eunoe.http.token_gate import CALLER_KEY
from eunoe.tools.mcp_offer import KEY_ID


class _Endpoint:
    """An ASGI application, since the protocol's own library answers."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        runtime: Runtime = scope["app"].state.runtime
        headers = Headers(scope=scope)
        if runtime.offer is None:
            await _refused(404, "NOT_FOUND: There is nothing here.")(scope, receive, send)
        elif not self._admits(headers):
            text = "PERMISSION_DENIED: Pages of other origins may not use this."
            await _refused(403, text)(scope, receive, send)
        else:
            await runtime.offer({**scope, KEY_ID: scope.get(CALLER_KEY)}, receive, send)

    def _admits(self, headers: Headers) -> bool:
        """Whether no page asks, or one of this server or of an origin that may call it.

        A page of this server that is no page of the machine itself has to have a key.
        """
        origin = headers.get("origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return True
        return is_of_this_machine(headers) or (is_own(headers) and "authorization" in headers)


def _refused(status: int, text: str) -> JsonReply:
    return JsonReply({"detail": text}, status=status)


def route(origins: Collection[str]) -> Route:
    """Return the route; pages of `origins` may use it beside those of the server itself."""
    return Route("/mcp", _Endpoint(origins), include_in_schema=False)
