"""Where the page is from that sends a request; programs say nothing of it.

Browsers let any page send requests to a server on its visitor's machine, also under a name that
is made to stand for it. Where no key is wanted, what a page may do is decided here.
"""

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from eunoe.errors import PageRefused
from eunoe.http.errors import answer_of
from eunoe.http.token_gate import offered_token

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OF_NO_STRANGER: Final = (".localhost", ".local", ".internal")
"""Names under these, and names without a dot, are of this network: no stranger can give one."""


class PageGate:
    """ASGI middleware of a server that wants no key: no page but its own gets any further.

    An access token has a gate of its own, which knows for which pages it is.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = {urlsplit(origin).hostname for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._admits(scope):
            await self._app(scope, receive, send)
            return
        await answer_of(PageRefused())(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        if "*" in self._origins or offered_token(scope) is not None:
            return True
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and not is_own(headers):
            return False
        host = _split(f"//{headers.get('host', '')}").hostname
        return host in self._hosts or _is_near(host)


def is_own(headers: Headers) -> bool:
    """Whether the page has the very address that is asked."""
    return _page(headers).netloc == headers.get("host")


def is_of_this_machine(headers: Headers) -> bool:
    """Whether it is the server's own, and that is asked under a name of the machine itself."""
    return is_own(headers) and _page(headers).hostname in _LOOPBACK


def _page(headers: Headers) -> SplitResult:
    return _split(headers.get("origin", ""))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _is_near(host: str | None) -> bool:
    """Whether the server is asked by an address, or by a name that is no stranger's to give."""
    if host is None or "." not in host or host.endswith(_OF_NO_STRANGER):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
