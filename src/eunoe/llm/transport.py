"""HTTP/1.1 with kept connections: httpx's transport for the one kind of request that is hot.

A model call is one small POST and a long stream. The parser in C and a single write take a third
of the processor time of httpx's own transport, which parses every chunk in Python.
"""

import asyncio
import ssl
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Final, TypeAlias, cast

import httptools
import httpx

from eunoe.llm.reach import Reach

_PAUSE_BYTES: Final = 1024 * 1024
_INFORMATIONAL: Final = range(100, 200)

Address: TypeAlias = tuple[bool, str, int]
"""Whether it is TLS, the host and the port."""


class KeptTransport(httpx.AsyncBaseTransport):
    """Sends requests over connections that it keeps for `keep_s` seconds after their last use.

    At most `most` connections are open at once; who comes later waits. Closing it closes all.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None, most: int, keep_s: float, reach: Reach | None = None
    ) -> None:
        self._tls = tls
        self._reach = reach
        self._keep_s = keep_s
        self._free = asyncio.Semaphore(most)
        self._idle: defaultdict[Address, deque[_Connection]] = defaultdict(deque)
        self._open: set[_Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        waits: dict[str, float | None] = request.extensions.get("timeout", {})
        data = _head(request) + await request.aread()
        await self._turn(waits.get("pool"), request)
        connection: _Connection | None = None
        try:
            connection = await self._connected(request, waits.get("connect"))
            connection.send(data)
            await connection.headed(waits.get("read"))
        except BaseException:
            if connection is not None:
                connection.abort()
            self._free.release()
            raise
        return httpx.Response(
            connection.status,
            headers=connection.headers,
            stream=_Body(self, connection, read_s=waits.get("read")),
        )

    async def _turn(self, wait_s: float | None, request: httpx.Request) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("All connections are in use.", request=request) from None

    async def _connected(self, request: httpx.Request, wait_s: float | None) -> "_Connection":
        url = request.url
        is_tls = url.scheme == "https"
        address = (is_tls, url.host, url.port or (443 if is_tls else 80))
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if connection.is_fit(self._keep_s):
                return connection
            connection.abort()
        return await self._opened(address, wait_s)

    async def _opened(self, address: Address, wait_s: float | None) -> "_Connection":
        is_tls, host, port = address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(wait_s):
                to = host if self._reach is None else await self._reach.address(host, port)
                _, connection = await loop.create_connection(
                    lambda: _Connection(address, self._open),
                    to,
                    port,
                    ssl=self._tls if is_tls else None,
                    server_hostname=host if is_tls else None,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"No connection to {host}:{port} in time.") from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return connection

    def give_back(self, connection: "_Connection") -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        self._free.release()
        if connection.is_reusable:
            connection.rest()
            self._idle[connection.address].append(connection)
        else:
            connection.abort()

    async def aclose(self) -> None:
        for connection in list(self._open):
            connection.abort()
        self._idle.clear()


def _head(request: httpx.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%b: %b" % pair for pair in request.headers.raw]
    return b"\r\n".join((*lines, b"", b""))


class _Connection(asyncio.Protocol):
    """One connection, with at most one request on it at a time."""

    def __init__(self, address: Address, open_: "set[_Connection]") -> None:
        self.address = address
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._open = open_
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._size = 0
        self._paused = False
        self._has_head = False
        self._is_whole = False
        self._keeps = False
        self._ends_with_close = False
        self._fault: httpx.TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._rested_at = 0.0

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # create_connection makes one; uvloop's is none by its class.
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fault = httpx.RemoteProtocolError(f"The answer is not HTTP: {error}")
            self.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self._transport = None
        if self._ends_with_close and self._has_head and exc is None:
            self._is_whole = True
        elif self._fault is None and not self._is_whole:
            self._fault = (
                httpx.RemoteProtocolError("The connection was closed in the middle of the answer.")
                if exc is None
                else httpx.ReadError(str(exc))
            )
        self._wake()

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status in _INFORMATIONAL:
            self.headers = []
            return
        names = {name.lower() for name, _ in self.headers}
        self._ends_with_close = not names & {b"content-length", b"transfer-encoding"}
        self._keeps = self._parser.should_keep_alive()
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._size += len(body)
        if self._size > _PAUSE_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self._is_whole = self._has_head

    # What the transport calls

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    async def headed(self, wait_s: float | None) -> None:
        """Wait for the status and the headers."""
        while not self._has_head:
            if self._fault is not None:
                raise self._fault
            await self._more(wait_s)

    async def read(self, wait_s: float | None) -> bytes:
        """Return all that has come since, waiting for something; nothing at the end."""
        while not self._body:
            if self._is_whole:
                return b""
            if self._fault is not None:
                raise self._fault
            await self._more(wait_s)
        data = b"".join(self._body)
        self._body.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def _more(self, wait_s: float | None) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(wait_s):
                await self._waiter
        except TimeoutError:
            raise httpx.ReadTimeout("Nothing came in time.") from None
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def is_reusable(self) -> bool:
        return self._is_whole and self._keeps and not self._body and self._transport is not None

    def is_fit(self, keep_s: float) -> bool:
        """Return whether a resting connection can take a request: still open, and not too old."""
        is_open = self._transport is not None and not self._transport.is_closing()
        return is_open and not self._has_head and time.monotonic() - self._rested_at < keep_s

    def rest(self) -> None:
        """Forget the answer, ready for the next."""
        self._parser = httptools.HttpResponseParser(self)
        self.headers = []
        self._has_head = self._is_whole = False
        self._rested_at = time.monotonic()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Body(httpx.AsyncByteStream):
    """The body of one answer; closing it gives the connection back or closes it."""

    def __init__(
        self, transport: KeptTransport, connection: _Connection, *, read_s: float | None
    ) -> None:
        self._transport = transport
        self._connection: _Connection | None = connection
        self._read_s = read_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection is not None:
            data = await self._connection.read(self._read_s)
            if not data:
                return
            yield data

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.give_back(connection)
