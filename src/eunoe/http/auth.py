"""The password gate: with a password set, every request brings it or gets no further (api 1.11)."""

import hmac
from collections.abc import Iterator
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from eunoe.http.token_gate import offered_token

CALLBACK: Final = "/v1/tools/mcp/oauth/callback"
"""Where a sign-in with an MCP server ends: a browser comes there from that server."""
EXEMPT: Final = frozenset(
    {
        "/v1/health",
        "/v1/health/",
        "/latest/health/",
        "/v1/ready",
        "/v1/ready/",
        "/latest/ready",
        "/latest/ready/",
        CALLBACK,
    }
)
"""Paths that answer anybody, so that a supervisor needs no password (api 1.11.2).

What a sign-in came to is let in by its state, which is a secret."""
_POLICY_VIOLATION: Final = 1008


class PasswordGate:
    """ASGI middleware; put it inside CORS, whose preflight requests carry no credentials.

    The password carries no identity: who acts is still said by the `user_id` header.
    """

    def __init__(self, app: ASGIApp, *, password: str) -> None:
        if not password:
            message = "an empty password would let everybody in"
            raise ValueError(message)
        self._app = app
        self._password = password.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in EXEMPT or self._admits(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = JSONResponse({"detail": "Unauthorized"}, status_code=401)
            await refusal(scope, receive, send)
        else:
            await WebSocketClose(code=_POLICY_VIOLATION)(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        """Compare in a time that does not depend on how much of a guess is right."""
        if offered_token(scope) is not None:
            return True  # Its own gate, further in, decides.
        offered = _offered(Headers(scope=scope))
        return any(hmac.compare_digest(guess, self._password) for guess in offered)


def _offered(headers: Headers) -> Iterator[bytes]:
    """Yield the passwords a request brings, in either form of api 1.10, as it sent them."""
    for header, scheme in (("authorization", "bearer"), ("x-bare-password", "password")):
        word, _, rest = headers.get(header, "").partition(" ")
        if rest and word.lower() == scheme:
            yield rest.strip().encode("latin-1")
