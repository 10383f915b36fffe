"""The HTTP client that MCP servers are asked with: to checked addresses, in bounded answers."""

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Final

import httpx2

from eunoe.errors import EunoeError
from eunoe.tools.mcp_addresses import Hosts

_READ_S: Final = 300.0


@dataclass(slots=True)
class Seen:
    """What the SDK does not pass on of what happened on the wire.

    With `challenge` the first request without a token is answered here, by asking for one.
    """

    url: str
    challenge: bool = False
    is_unauthorized: bool = False
    is_unreachable: bool = False
    refused: list[EunoeError] = field(default_factory=list[EunoeError])


class _TooLarge(httpx2.StreamError):
    def __init__(self) -> None:
        super().__init__("The answer is larger than this server takes.")


class _Packed(httpx2.StreamError):
    def __init__(self) -> None:
        super().__init__("The answer is compressed, which was not asked for.")


class _Bounded(httpx2.AsyncByteStream):
    """The body of one answer, which fails where it becomes too large."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, most: int) -> None:
        self._stream = stream
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._left -= len(piece)
            if self._left < 0:
                raise _TooLarge
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Checked(httpx2.AsyncBaseTransport):
    """Sends each request to the address that was checked, and watches what becomes of it."""

    def __init__(self, *, hosts: Hosts, message_bytes: int, seen: Seen) -> None:
        self._hosts = hosts
        self._most = message_bytes
        self._seen = seen
        # One for each host, lest two that share an address share a connection.
        self._inner: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if self._seen.challenge and "authorization" not in request.headers:
            self._seen.challenge = False
            return httpx2.Response(HTTPStatus.UNAUTHORIZED, request=request)
        try:
            self._hosts.check_url(str(url))
            address = await self._hosts.address(url.host, url.port or _port(url.scheme))
        except EunoeError as error:
            self._seen.refused.append(error)
            raise httpx2.ConnectError(str(error), request=request) from error
        request.headers.setdefault("Host", url.netloc.decode("ascii"))
        # What is packed small may be without bounds.
        request.headers["Accept-Encoding"] = "identity"
        request.url = url.copy_with(host=address)
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        try:
            response = await self._transport(url.host).handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            self._seen.is_unreachable = True
            raise
        finally:
            request.url = url
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            self._seen.is_unauthorized = True
        elif response.is_success and str(url) == self._seen.url:
            self._seen.is_unauthorized = False
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise _Packed
        kind = response.headers.get("content-type", "")
        if isinstance(response.stream, httpx2.AsyncByteStream) and "event-stream" not in kind:
            response.stream = _Bounded(response.stream, most=self._most)
        return response

    async def aclose(self) -> None:
        for transport in self._inner.values():
            await transport.aclose()

    def _transport(self, host: str) -> httpx2.AsyncHTTPTransport:
        if host not in self._inner:
            self._inner[host] = httpx2.AsyncHTTPTransport(verify=_ssl_context())
        return self._inner[host]


@cache
def _ssl_context() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def http_client(
    headers: Mapping[str, str],
    *,
    hosts: Hosts,
    message_bytes: int,
    connect_s: float,
    seen: Seen,
    auth: httpx2.Auth | None = None,
) -> httpx2.AsyncClient:
    """Return a client to be entered; `headers` go with every request to the server itself."""
    return httpx2.AsyncClient(
        headers=dict(headers),
        transport=_Checked(hosts=hosts, message_bytes=message_bytes, seen=seen),
        timeout=httpx2.Timeout(connect_s, read=_READ_S),
        auth=auth,
        trust_env=False,
    )
