"""A small HTTP/1.1 client on asyncio streams: it costs little of what is measured."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

_BOUNDARY: Final = "bench-of-eunoe"


class Refused(Exception):
    """The server answered with another status than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:300].decode(errors='replace')}")
        self.status = status


@dataclass(slots=True)
class Connection:
    """One keep-alive connection; one request at a time."""

    base_url: str
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """Return the parsed answer; raise `Refused` for any status but 200 and 204."""
        data = b"" if body is None else orjson.dumps(body)
        return await self._answer(method, path, "application/json", data)

    async def upload(self, path: str, name: str, data: bytes) -> Any:
        """Send a file as a form does; return the parsed answer."""
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"'
        whole = b"%s\r\n\r\n%s\r\n--%s--\r\n" % (head.encode(), data, _BOUNDARY.encode())
        return await self._answer("POST", path, f"multipart/form-data; boundary={_BOUNDARY}", whole)

    async def _answer(self, method: str, path: str, kind: str, data: bytes) -> Any:
        status, headers, reader = await self._ask(method, path, kind, data)
        if status == 204:
            return None
        data = await _body(headers, reader)
        if status != 200:
            raise Refused(status, data)
        return orjson.loads(data)

    async def events(self, path: str, body: Any) -> AsyncIterator[bytes]:
        """Yield the data of each server-sent event."""
        data = orjson.dumps(body)
        status, headers, reader = await self._ask("POST", path, "application/json", data)
        if status != 200:
            raise Refused(status, await _body(headers, reader))
        held = b""
        async for chunk in _chunks(reader):
            *whole, held = (held + chunk).split(b"\n\n")
            for event in whole:
                yield event.removeprefix(b"data: ")

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()
            self._reader = self._writer = None

    async def _ask(
        self, method: str, path: str, kind: str, data: bytes
    ) -> tuple[int, dict[str, str], asyncio.StreamReader]:
        reader, writer = await self._connected()
        writer.write(
            f"{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {kind}\r\n"
            f"x-stainless-package-version: 1.12.1\r\ncontent-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return int(head[0].split(" ")[1]), headers, reader

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # A connection that was silent for long is closed by the server.
        if self._reader is None or self._writer is None or self._reader.at_eof():
            url = urlsplit(self.base_url)
            self._reader, self._writer = await asyncio.open_connection(
                url.hostname, url.port, limit=2**24
            )
        return self._reader, self._writer


async def _body(headers: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return b"".join([chunk async for chunk in _chunks(reader)])


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readline()).strip() or b"0", 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
