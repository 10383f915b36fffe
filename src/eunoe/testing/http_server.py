"""A small HTTP/1.1 server for scripted services: it speaks plainly, and on request, wrongly."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

_REASONS: Final = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`headers` with lower-case names; `path` without the `query`; `connection` counts from 1."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: str = ""


class ConnectionCut(Exception):
    """Raised by a body to close the connection in the middle of the answer."""


Answer: TypeAlias = bytes | AsyncIterator[bytes]
"""A whole HTTP response, or its bytes as they become ready."""
Answerer: TypeAlias = Callable[[Request], Answer]


def response(
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> bytes:
    """Return a whole HTTP response of known length."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


def json_response(
    value: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> bytes:
    return response(status, orjson.dumps(value), headers=headers)


STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
STREAM_END: Final = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return `data` as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Connection(asyncio.Protocol):
    """One client: reads requests in order and answers them in order."""

    def __init__(self, answer: Answerer, connections: set["_Connection"], *, number: int) -> None:
        self._answer = answer
        self._connections = connections
        self._number = number
        self._buffer = bytearray()
        self._waiting: list[Request] = []
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        if self._task is not None:
            self._task.cancel()

    def close(self) -> asyncio.Task[None] | None:
        if self._transport is not None:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._next_request()) is not None:
            self._waiting.append(request)
        if self._task is None:
            self._pump()

    def _next_request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        total = end + 4 + int(headers.get("content-length", "0"))
        if len(self._buffer) < total:
            return None
        body = bytes(self._buffer[end + 4 : total])
        del self._buffer[:total]
        method, target, _ = first.split(" ", 2)
        path, _, query = target.partition("?")
        return Request(
            connection=self._number,
            method=method,
            path=path,
            headers=headers,
            body=body,
            query=query,
        )

    def _pump(self) -> None:
        """Answer at once what needs no waiting; leave the rest to a task."""
        while self._waiting and self._transport is not None:
            answer = self._answer(self._waiting.pop(0))
            if not isinstance(answer, bytes):
                self._task = asyncio.get_running_loop().create_task(self._write(answer))
                return
            self._transport.write(answer)

    async def _write(self, answer: AsyncIterator[bytes]) -> None:
        try:
            async for data in answer:
                if self._transport is None:
                    return
                self._transport.write(data)
        except ConnectionCut:
            if self._transport is not None:
                self._transport.close()
            return
        finally:
            self._task = None
        self._pump()


@asynccontextmanager
async def serving(
    answer: Answerer, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[str]:
    """Serve `answer` and yield the base URL; port 0 takes a free one. Closes every connection."""
    loop = asyncio.get_running_loop()
    connections: set[_Connection] = set()
    numbers = itertools.count(1)
    server = await loop.create_server(
        lambda: _Connection(answer, connections, number=next(numbers)), host, port, backlog=1024
    )
    bound: int = server.sockets[0].getsockname()[1]
    try:
        yield f"http://{host}:{bound}"
    finally:
        server.close()
        tasks: list[Awaitable[None]] = [t for c in list(connections) if (t := c.close())]
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
