"""Images behind URLs: fetched, bounded, and never from inside the server's own network (L6)."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from eunoe.domain.messages import Image
from eunoe.errors import Invalid
from eunoe.service.images import ImageFetcher

pytestmark = [pytest.mark.anyio, pytest.mark.rule("L6")]
PNG = b"\x89PNG"
HEAD = "HTTP/1.1 {status}\r\nconnection: close\r\n{more}\r\n"


ANSWERS = {
    "/picture": ("200 OK", "content-type: image/png; q=1\r\n", PNG),
    "/unnamed.gif": ("200 OK", "", b"GIF89a"),
    "/misnamed.gif": ("200 OK", "", PNG),
    "/moved": ("302 Found", "location: /picture\r\n", b""),
    "/inside": ("302 Found", "location: file:///etc/passwd\r\n", b""),
    "/round": ("302 Found", "location: /round\r\n", b""),
    "/page": ("200 OK", "content-type: text/html\r\n", b"<p>"),
    "/untrue": ("200 OK", "content-type: image/png\r\n", b"<p>"),
    "/slow-once": ("200 OK", "content-type: image/png\r\n", PNG),
    "/huge": ("200 OK", "content-type: image/png\r\n", bytes(21 << 20)),
}


@asynccontextmanager
async def web() -> AsyncGenerator[str]:
    """A server of one picture at several addresses; one of them answers only the second time."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1].partition("?")[0]
        asked.append(path)
        if asked.count("/slow-once") == 1 and path == "/slow-once":
            await reader.read()
        else:
            status, more, body = ANSWERS.get(path, ("404 Not Found", "", b""))
            writer.write(HEAD.format(status=status, more=more).encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http://{host}:{port}"


@asynccontextmanager
async def fetcher(
    *, allow_private: bool = True, timeout_s: float = 5.0
) -> AsyncGenerator[ImageFetcher]:
    fetch = ImageFetcher(allow_private=allow_private, timeout_s=timeout_s)
    yield fetch
    await fetch.close()


async def test_pictures_become_base64() -> None:
    data = base64.b64encode(PNG).decode()
    async with web() as url, fetcher() as fetch:
        assert await fetch(f"{url}/picture") == Image(media_type="image/png", data=data)
        assert await fetch(f"{url}/moved") == Image(media_type="image/png", data=data)
        assert (await fetch(f"{url}/unnamed.gif")).media_type == "image/gif"
        assert (await fetch(f"{url}/misnamed.gif")).media_type == "image/png"
    async with web() as url, fetcher(timeout_s=0.5) as fetch:
        assert await fetch(f"{url}/slow-once") == Image(media_type="image/png", data=data)
    async with fetcher() as fetch:
        assert (await fetch(f"data:image/png;base64,{data}")).data == data
        assert (await fetch("data:image/png,%89PNG")).data == data


@pytest.mark.parametrize(
    "path", ["inside", "round", "page", "untrue", "huge", "nowhere?token=secret"]
)
async def test_what_is_no_picture_is_refused_without_secrets(path: str) -> None:
    async with web() as url, fetcher() as fetch:
        with pytest.raises(Invalid) as caught:
            await fetch(f"{url}/{path}")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/x.png",
        "file:///etc/passwd",
        "http://",
        "http://[broken",
        "data:image/png;base64,%%%",
        "data:text/plain,hello",
        "data:image/png,hello",
        "data:image/png",
        "nonsense",
    ],
)
async def test_other_addresses_are_refused(url: str) -> None:
    async with fetcher() as fetch:
        with pytest.raises(Invalid):
            await fetch(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"]
)
async def test_the_servers_own_network_is_out_of_reach(host: str) -> None:
    async with web() as url, fetcher(allow_private=False) as fetch:
        port = url.rpartition(":")[2]
        with pytest.raises(Invalid):
            await fetch(f"http://{host}:{port}/picture")
