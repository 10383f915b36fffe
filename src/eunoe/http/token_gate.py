"""The gate of keys and access tokens: who brings one may do what it says, and nothing else (25.3).

A request with either is narrowed by it, whether this server wants a password or not; `scopes`
says what a request does.
"""

from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from eunoe.domain.access_tokens import AccessToken
from eunoe.domain.keys import Key
from eunoe.errors import EunoeError, KeyScopeExceeded, TokenScopeExceeded
from eunoe.http.errors import answer_of
from eunoe.http.scopes import EXEMPT, deed_of
from eunoe.service import access_tokens, keys
from eunoe.store.db import Actor, Database

ACTOR_KEY: Final = "eunoe.actor"
"""Where a request's scope says who acts, for whoever asks; absent, a header may say it."""
CALLER_KEY: Final = "eunoe.caller"
"""Where it has the id of the key or token, for whoever counts what each of them asks for."""

_PREFIXES: Final = (access_tokens.PREFIX, keys.PREFIX)
_USER: Final = b"user_id"


class TokenGate:
    """ASGI middleware; put it inside what cleans the path, so that it sees what is routed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = offered_token(scope)
        if text is None or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return
        db: Database = scope["app"].state.runtime.db
        caller = await _recognised(db, text)
        refusal = await _refusal(db, caller, scope)
        if caller is None or refusal is not None:
            await (refusal or _unauthorized())(scope, receive, send)
            return
        scope[CALLER_KEY] = caller.id
        _act(scope, caller)
        await self._app(scope, receive, send)
        if isinstance(caller, Key):
            # The answer has gone out: nobody waits for this.
            await keys.note_used(db, caller)


def offered_token(scope: Scope) -> str | None:
    """Return the key or access token that a request brings, null where it brings neither."""
    if scope["type"] != "http":
        return None
    word, _, rest = Headers(scope=scope).get("authorization", "").partition(" ")
    text = rest.strip()
    return text if word.lower() == "bearer" and text.startswith(_PREFIXES) else None


async def _recognised(db: Database, text: str) -> AccessToken | Key | None:
    if text.startswith(keys.PREFIX):
        return await keys.recognised(db, text)
    return await access_tokens.recognised(db, text)


async def _refusal(db: Database, caller: AccessToken | Key | None, scope: Scope) -> Response | None:
    """Return the answer to who may not do this, null for who may."""
    deed = deed_of(scope["method"], scope["path"])
    match caller:
        case None:
            return _unauthorized()
        case AccessToken():
            origin = Headers(scope=scope).get("origin")
            if origin is not None and _origin(caller.hostname) != origin:
                text = f"The access token is for {caller.hostname} alone."
                return answer_of(TokenScopeExceeded(text))
            allowed = (
                deed.access is not None
                and deed.agent_id is not None
                and caller.allows(deed.access, agent_id=deed.agent_id)
            )
            refused: EunoeError = TokenScopeExceeded()
        case Key():
            agent_id = deed.agent_id
            if caller.agent_ids and deed.of is not None:
                agent_id = await keys.agent_of(db, caller, deed.of)
            allowed = caller.allows(deed.scope, agent_id=agent_id)
            refused = KeyScopeExceeded(_wanted(caller, deed.scope))
    return None if allowed else answer_of(refused)


def _wanted(key: Key, scope: str) -> str:
    """Say which kind of key opens this, and nothing of what is behind it."""
    if key.agent_ids:
        return f"This takes a key with the scope {scope}, for this agent or for all of them."
    return f"This takes a key with the scope {scope}; this one has {key.scope}."


def _act(scope: MutableMapping[str, Any], caller: AccessToken | Key) -> None:
    """Say who acts, in the header too: not every reader of it knows of keys.

    Whoever administers the server may name somebody else there, as with the password.
    """
    named = any(name == _USER for name, _ in scope["headers"])
    if isinstance(caller, Key):
        if caller.scope == "admin" and named:
            return
        actor = keys.actor_of(caller)
    else:
        actor = Actor(
            organization_id=caller.organization_id, user_id=caller.user_id, sees_secrets=False
        )
    scope[ACTOR_KEY] = actor
    kept = [(name, value) for name, value in scope["headers"] if name != _USER]
    scope["headers"] = [*kept, (_USER, actor.user_id.encode())]


def _unauthorized() -> Response:
    return JSONResponse({"detail": "Unauthorized"}, status_code=401)


def _origin(hostname: str) -> str:
    """Return the address as a browser names where a page comes from."""
    parts = urlsplit(hostname)
    return f"{parts.scheme}://{parts.netloc}".lower()
