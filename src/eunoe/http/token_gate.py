"""The gate of access tokens: who brings one may do what it says, and nothing else (25.3).

A request with a token is narrowed by it, whether this server wants a password or not. Only what
stands in the table is open to tokens: a route that is added is closed to them.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from eunoe.domain.access_tokens import Access, AccessToken
from eunoe.errors import TokenScopeExceeded
from eunoe.http.errors import answer_of
from eunoe.ids import UUID4
from eunoe.service import access_tokens

SCOPE_KEY: Final = "eunoe.access_token"
"""Where the token of a request stands in its scope, for whoever asks who acts."""

_OPEN: Final[Sequence[tuple[str, str, Access]]] = (
    ("GET", "", "read_agent"),
    ("GET", "/context", "read_agent"),
    ("GET", "/core-memory", "read_agent"),
    ("GET", "/core-memory/blocks/?", "read_agent"),
    ("GET", "/core-memory/blocks/.+", "read_agent"),
    ("GET", "/tools", "read_agent"),
    ("GET", "/archival-memory", "read_agent"),
    ("GET", "/archival-memory/search", "read_agent"),
    ("PATCH", "", "write_agent"),
    # Attaching names things beside the agent, which the token says nothing of.
    ("PATCH", "/core-memory/blocks/(?!attach/|detach/).+", "write_agent"),
    ("POST", "/archival-memory", "write_agent"),
    ("DELETE", "/archival-memory/[^/]+", "write_agent"),
    ("POST", "/recompile", "write_agent"),
    ("GET", "/messages", "read_messages"),
    ("POST", "/messages", "write_messages"),
    ("POST", "/messages/stream", "write_messages"),
    ("POST", "/messages/cancel", "write_messages"),
    ("PATCH", "/reset-messages", "write_messages"),
    ("POST", "/summarize", "write_messages"),
)
_ROUTES: Final[Sequence[tuple[str, re.Pattern[str], Access]]] = [
    (method, re.compile(f"/v1/agents/(agent-{UUID4}){path}"), access)
    for method, path, access in _OPEN
]


class TokenGate:
    """ASGI middleware; put it inside what cleans the path, so that it sees what is routed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = offered_token(scope)
        if text is None:
            await self._app(scope, receive, send)
            return
        token = await access_tokens.recognised(scope["app"].state.runtime.db, text)
        refusal = _refusal(token, scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope[SCOPE_KEY] = token
        await self._app(scope, receive, send)


def offered_token(scope: Scope) -> str | None:
    """Return the access token that a request brings, null where it brings none."""
    if scope["type"] != "http":
        return None
    word, _, rest = Headers(scope=scope).get("authorization", "").partition(" ")
    text = rest.strip()
    return text if word.lower() == "bearer" and text.startswith(access_tokens.PREFIX) else None


def _refusal(token: AccessToken | None, scope: Scope) -> Response | None:
    if token is None:
        return JSONResponse({"detail": "Unauthorized"}, status_code=401)
    origin = Headers(scope=scope).get("origin")
    if origin is not None and _origin(token.hostname) != origin:
        return answer_of(TokenScopeExceeded(f"The access token is for {token.hostname} alone."))
    for method, path, access in _ROUTES:
        found = path.fullmatch(scope["path"])
        if found is None or scope["method"] != method:
            continue
        if token.allows(access, agent_id=found[1]):
            return None
    return answer_of(TokenScopeExceeded())


def _origin(hostname: str) -> str:
    """Return the address as a browser names where a page comes from."""
    parts = urlsplit(hostname)
    return f"{parts.scheme}://{parts.netloc}".lower()
