"""Requests to addresses that a caller has named, which never lead into the server's own network.

A redirect is an answer like any other, unless the caller asks for it to be followed.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx

from eunoe.engine.addresses import looked_up
from eunoe.errors import AddressRefused, AddressUnreachable, AnswerTooLarge, RedirectedTooOften
from eunoe.tools.web import Fetched

_PORTS: Final = {"http": 80, "https": 443}


class Outbound:
    """Makes such requests, with one HTTP client for the life of the process.

    `allow_private` lets it into private and loopback networks; an operator's choice.
    """

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        content: bytes | None = None,
    ) -> AsyncGenerator[httpx.Response]:
        """Send a request; the block reads as much of the answer as it wants.

        Raises `AddressRefused`, or what httpx and the look-up of the host raise.
        """
        address = await self._address(url)
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
        async with self._client.stream(
            method,
            url.copy_with(host=address),
            headers={**headers, "Host": url.netloc.decode("ascii")},
            content=content,
            extensions={"sni_hostname": url.host},
            timeout=timeout_s,
        ) as response:
            yield response

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        most_bytes: int,
        content: bytes | None = None,
        redirects: int = 0,
    ) -> Fetched:
        """Return a whole answer, whatever its status; with `content` the request is a POST.

        Up to `redirects` are followed, each to an address that is checked as the first was.
        Raises `AddressRefused`, `AddressUnreachable`, `AnswerTooLarge` and `RedirectedTooOften`.
        """
        method = "GET" if content is None else "POST"
        try:
            at = httpx.URL(url)
            async with asyncio.timeout(timeout_s):
                for _ in range(redirects + 1):
                    async with self.stream(
                        method, at, headers=headers, timeout_s=timeout_s, content=content
                    ) as response:
                        if not redirects or not response.has_redirect_location:
                            return await _read(response, str(at), most_bytes=most_bytes)
                        at = at.join(response.headers["location"])
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            told = f"Nothing can be read there: {str(error) or type(error).__name__}."
            raise AddressUnreachable(told) from error
        raise RedirectedTooOften

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _address(self, url: httpx.URL) -> str:
        """Return the address to connect to, which the policy allows."""
        if url.scheme not in _PORTS or not url.host:
            raise AddressRefused
        port = url.port or _PORTS[url.scheme]
        return await looked_up(url.host, port, private=self._allow_private)


async def _read(response: httpx.Response, url: str, *, most_bytes: int) -> Fetched:
    data = bytearray()
    async for piece in response.aiter_bytes():
        data += piece
        if len(data) > most_bytes:
            raise AnswerTooLarge(f"The answer has more than {most_bytes} bytes.")
    return Fetched(
        url=url,
        status=response.status_code,
        media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        charset=response.charset_encoding,
        data=bytes(data),
    )
