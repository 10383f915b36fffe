"""One HTTP client per provider, for the life of the process."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast
from urllib.request import getproxies, proxy_bypass

import httpx

from eunoe.errors import ModelReplyInvalid
from eunoe.llm.reach import Reach
from eunoe.llm.transport import KeptTransport

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_MAX_CONNECTIONS: Final = 512
_KEEP_ALIVE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, one setting for every provider (FIX-68).

    `silence_s` is how long a stream may say nothing, its first byte included;
    `total_s` bounds a request, retries included.
    """

    connect_s: float = 5.0
    silence_s: float = 120.0
    total_s: float = 600.0


@cache
def _trust() -> ssl.SSLContext:
    """Return the certificates to trust, read once: reading them costs some 20 ms."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Client(httpx.AsyncClient):
    """A provider's client, with a short way for the requests that are hot."""

    def __init__(self, *, kept: KeptTransport | None, **options: Any) -> None:  # noqa: ANN401 -- they are httpx's own
        super().__init__(transport=kept, **options)
        self._kept = kept

    @asynccontextmanager
    async def asking(self, request: httpx.Request) -> AsyncGenerator[httpx.Response]:
        """Send `request` and give the answer while it comes in.

        Straight to the kept connections: what httpx does around them (cookies, redirects,
        rounds of authentication) is not wanted here and costs more than the sending.
        """
        if self._kept is None:
            answer = await self.send(request, stream=True)
        else:
            answer = await self._kept.handle_async_request(request)
            answer.request = request
        try:
            yield answer
        finally:
            await answer.aclose()


def client(
    *,
    base_url: str,
    headers: dict[str, str],
    params: dict[str, str],
    timeouts: Timeouts,
    reach: Reach | None = None,
) -> Client:
    """Return a client that keeps its connections; whoever made it closes it.

    `reach` bounds where they go, but for those of a proxy, which is the operator's.
    """
    url = httpx.URL(base_url)
    trusted = _trust() if url.scheme == "https" else None
    return Client(
        base_url=base_url,
        headers=headers,
        params=params,
        verify=trusted or False,
        timeout=waits(timeouts, silence_s=timeouts.silence_s),
        limits=httpx.Limits(max_connections=_MAX_CONNECTIONS, keepalive_expiry=_KEEP_ALIVE_S),
        follow_redirects=False,
        kept=None
        if _is_proxied(url)
        else KeptTransport(tls=trusted, most=_MAX_CONNECTIONS, keep_s=_KEEP_ALIVE_S, reach=reach),
    )


def _is_proxied(url: httpx.URL) -> bool:
    """Return whether the environment sends such requests through a proxy; httpx knows how."""
    proxies = getproxies()
    return bool({url.scheme, "all"} & set(proxies)) and not proxy_bypass(url.host)


def waits(timeouts: Timeouts, *, silence_s: float) -> httpx.Timeout:
    return httpx.Timeout(
        connect=timeouts.connect_s, read=silence_s, write=timeouts.silence_s, pool=silence_s
    )


async def body_of(response: httpx.Response) -> bytes:
    """Return the whole body. Raises `ModelReplyInvalid` where it is larger than 64 MiB."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise ModelReplyInvalid("The model provider sent a reply of more than 64 MiB.")
        parts.append(part)
    return b"".join(parts)


def blocks_of(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Return the body as it arrives, decompressed only where the server compressed it unasked."""
    packed = "content-encoding" in response.headers
    blocks = response.aiter_bytes() if packed else response.aiter_raw()
    return cast("AsyncGenerator[bytes]", blocks)
