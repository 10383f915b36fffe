"""The outer gate: every request brings the password or a key, or gets no further (api 1.11)."""

import hmac
from collections.abc import Iterator
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from eunoe.http.scopes import EXEMPT
from eunoe.http.token_gate import offered_token

_POLICY_VIOLATION: Final = 1008


class PasswordGate:
    """ASGI middleware; put it inside CORS, whose preflight requests carry no credentials.

    The password carries no identity: who acts is still said by the `user_id` header. Without a
    password only a key or an access token opens.
    """

    def __init__(self, app: ASGIApp, *, password: str | None) -> None:
        if password == "":
            message = "an empty password would let everybody in"
            raise ValueError(message)
        self._app = app
        self._password = None if password is None else password.encode()

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
        password = self._password
        if password is None:
            return False
        offered = _offered(Headers(scope=scope))
        return any(hmac.compare_digest(guess, password) for guess in offered)


def _offered(headers: Headers) -> Iterator[bytes]:
    """Yield the passwords a request brings, in either form of api 1.10, as it sent them."""
    for header, scheme in (("authorization", "bearer"), ("x-bare-password", "password")):
        word, _, rest = headers.get(header, "").partition(" ")
        if rest and word.lower() == scheme:
            yield rest.strip().encode("latin-1")
