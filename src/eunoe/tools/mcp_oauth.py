"""OAuth 2.1 with MCP servers, through the SDK: signing in, and using what was granted.

Agents only ever use a grant. Signing in needs a person, so that a server that wants it fails a
call instead of holding it up.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit
from weakref import WeakValueDictionary

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import ValidationError

from eunoe.domain.messages import Json
from eunoe.errors import McpAuthorizationNeeded
from eunoe.tools.mcp_grants import Grants, SignIn

_EARLY_S: Final = 30.0
"""A token is renewed so long before it ends."""


class StoredToken(httpx2.Auth):
    """Puts the user's token on requests, and renews it when it ends.

    A token that another session renewed meanwhile is taken from the store: a server may let each
    refresh token be used but once. Requests go to the URL that it was granted at.
    """

    def __init__(self, grants: Grants, granted: Json, *, key: str) -> None:
        self._grants = grants
        self._granted = granted
        self._lock = _locks.setdefault(key, asyncio.Lock())

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        used = ""
        for _ in range(2):
            if self._is_stale(used):
                async with self._lock:
                    stored = await self._grants.load()
                    if _is_for(stored, self._granted["url"]):
                        self._granted = stored
                    renewal = _refresh(self._granted) if self._is_stale(used) else None
                    if renewal is not None:
                        await self._take((yield renewal))
            token = _token(self._granted)
            if token == used:
                return
            request.headers["Authorization"] = f"Bearer {token}"
            used = token
            response = yield request
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return

    def _is_stale(self, refused: str) -> bool:
        """Whether the token is over by its own account, or was refused."""
        end = self._granted.get("expires_at")
        ended = isinstance(end, int | float) and time.time() > end - _EARLY_S
        return ended or _token(self._granted) == refused

    async def _take(self, response: httpx2.Response) -> None:
        """Keep what a renewal came to; a refused one leaves the grant as it is."""
        if response.status_code != HTTPStatus.OK:
            return
        try:
            token = OAuthToken.model_validate_json(await response.aread())
        except ValidationError:
            return
        # What the answer leaves out stays as it was.
        tokens: Json = {
            **_tokens(self._granted),
            **token.model_dump(mode="json", exclude_none=True),
        }
        self._granted = {**self._granted, "tokens": tokens, "expires_at": _end(token)}
        await self._grants.keep(self._granted)


_locks: Final[WeakValueDictionary[str, asyncio.Lock]] = WeakValueDictionary()


def stored_token(grants: Grants, granted: Json, *, url: str, key: str) -> StoredToken | None:
    """Return what puts a granted token on requests, null where none was granted at this URL."""
    return StoredToken(grants, granted, key=key) if _is_for(granted, url) else None


def _is_for(granted: Json, url: object) -> bool:
    """Whether there is a token, and it is that server's: the URL may be another by now (X48)."""
    return bool(granted.get("tokens")) and granted.get("url") == url


def _tokens(granted: Json) -> Json:
    return cast("Json", granted["tokens"])


def _token(granted: Json) -> str:
    return str(_tokens(granted).get("access_token", ""))


def _end(token: OAuthToken) -> float | None:
    return None if token.expires_in is None else time.time() + token.expires_in


def _refresh(granted: Json) -> httpx2.Request | None:
    """Return the request that renews a grant, null where it cannot be renewed."""
    refresh_token, endpoint = _tokens(granted).get("refresh_token"), granted.get("token_endpoint")
    if not refresh_token or not endpoint:
        return None
    client = OAuthClientInformationFull.model_validate(granted["client"])
    data = {
        "grant_type": "refresh_token",
        "refresh_token": str(refresh_token),
        "client_id": str(client.client_id),
    }
    if granted.get("resource"):
        data["resource"] = str(granted["resource"])
    context = OAuthContext(
        server_url=str(endpoint),
        client_metadata=OAuthClientMetadata(redirect_uris=client.redirect_uris),
        storage=_Kept(),
        redirect_handler=None,
        callback_handler=None,
        client_info=client,
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    data, headers = context.prepare_token_auth(data, headers)
    return httpx2.Request("POST", str(endpoint), data=data, headers=headers)


class _Kept:
    """The SDK's storage, kept in memory: what came of a sign-in is stored once, whole."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class SigningIn:
    """A person's way through the SDK's flow: discovery, registration, PKCE, tokens."""

    def __init__(self, url: str, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        self._kept = _Kept()
        self._state = ""
        self.auth = OAuthClientProvider(
            server_url=url,
            client_metadata=OAuthClientMetadata.model_validate(
                {
                    "client_name": "Eunoe",
                    "redirect_uris": [sign_in.callback],
                    "grant_types": ["authorization_code", "refresh_token"],
                    "response_types": ["code"],
                    "application_type": _kind(sign_in.callback),
                }
            ),
            storage=self._kept,
            redirect_handler=self._show,
            callback_handler=self._answer,
        )

    def granted(self) -> Json:
        """Return what came of it, to be stored; nothing where nobody had to sign in."""
        tokens, client, context = self._kept.tokens, self._kept.client, self.auth.context
        if tokens is None or client is None:
            return {}
        known = context.oauth_metadata
        origin = context.get_authorization_base_url(context.server_url)
        return {
            "url": context.server_url,
            "tokens": tokens.model_dump(mode="json", exclude_none=True),
            "client": client.model_dump(mode="json", exclude_none=True),
            "expires_at": _end(tokens),
            "token_endpoint": str(known.token_endpoint) if known else f"{origin}/token",
            "resource": context.get_resource_url()
            if context.should_include_resource_param(context.protocol_version)
            else None,
        }

    async def _show(self, address: str) -> None:
        self._state = parse_qs(urlsplit(address).query)["state"][0]
        await self._sign_in.show(address, self._state)

    async def _answer(self) -> AuthorizationCodeResult:
        given = await self._sign_in.answer(self._state)
        code = given.get("code")
        if not isinstance(code, str):
            reason = given.get("error_description") or given.get("error") or "no code was given"
            raise McpAuthorizationNeeded(f"The sign-in was refused: {reason}"[:500])
        issuer = given.get("iss")
        return AuthorizationCodeResult(
            code=code, state=self._state, iss=issuer if isinstance(issuer, str) else None
        )


def _kind(callback: str) -> str:
    local = urlsplit(callback).hostname in {"localhost", "127.0.0.1", "::1"}
    return "native" if local else "web"
