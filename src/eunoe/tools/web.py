"""The built-in tool that reads a page of the web (agent X39), and what such tools ask through."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolResult
from eunoe.errors import ToolArgumentsInvalid
from eunoe.tools import fields
from eunoe.tools.child import child, finish, reason, send

FETCH_WEBPAGE: Final = "fetch_webpage"
_TIMEOUT_S: Final = 30.0
_REDIRECTS: Final = 5
_MOST_BYTES: Final = 20 * 1024 * 1024
_MOST_TEXT: Final = 4 * 1024 * 1024
_OK: Final = range(200, 300)
_TOLD_OF_ERROR: Final = 500
_HEADERS: Final = {
    "Accept": "text/html, application/xhtml+xml, text/*, application/json, application/pdf;q=0.8",
    "User-Agent": "Mozilla/5.0 (compatible; eunoe)",
}
_READERS: Final = {
    "": "page",
    "text/html": "page",
    "application/xhtml+xml": "page",
    "application/pdf": "pdf",
    "application/xml": "text",
    "application/javascript": "text",
    "application/x-ndjson": "text",
    "application/yaml": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A whole answer: from where it came in the end, and what it said it was."""

    url: str
    status: int
    media_type: str
    charset: str | None
    data: bytes


class Fetch(Protocol):
    """Asks an address of the network, where that is allowed; raises where it cannot."""

    async def __call__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        most_bytes: int,
        content: bytes | None = None,
        redirects: int = 0,
    ) -> Fetched: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """How tools reach the web. `trusted` goes to what the operator named, wherever that is.

    `variables` are those of the server that name search engines and hold their keys.
    """

    fetch: Fetch
    trusted: Fetch
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


async def fetch_webpage(arguments: Json, *, web: Web) -> str | ToolResult:
    """Return what can be read at a URL, a page as markdown; private addresses are refused."""
    url = fields.text(arguments, "url", of=FETCH_WEBPAGE).strip()
    if not url.lower().startswith(("http://", "https://")):
        raise ToolArgumentsInvalid("`url` must start with http:// or https://.", argument="url")
    found = await web.fetch(
        url, headers=_HEADERS, timeout_s=_TIMEOUT_S, most_bytes=_MOST_BYTES, redirects=_REDIRECTS
    )
    kind = _reader(found.media_type)
    if kind is None:
        told = f"{found.url} holds {found.media_type}, which is not text that can be read."
        return ToolResult(ok=False, output=told)
    async with asyncio.timeout(_TIMEOUT_S):
        text, why = await _read(kind, found)
    if found.status not in _OK:
        told = f"{found.url} answered {found.status}.\n\n{text[:_TOLD_OF_ERROR]}".strip()
        return ToolResult(ok=False, output=told)
    if not text.strip():
        return ToolResult(ok=False, output=why or f"There is no text at {found.url}.")
    return text


def _reader(media_type: str) -> str | None:
    """Return what reads a type of content, null for what has no text."""
    if media_type.startswith("text/") or media_type.endswith(("json", "+xml")):
        return _READERS.get(media_type, "text")
    return _READERS.get(media_type)


async def _read(kind: str, found: Fetched) -> tuple[str, str | None]:
    """Return the text, and what its reader says against it; a process of its own does it."""
    async with child("parse_child.py", kind, found.url) as process:
        assert process.stdout is not None  # noqa: S101 -- it was opened as a pipe
        if await send(process, found.data if kind == "pdf" else _utf8(found)):
            finish(process)
        text = bytearray()
        while piece := await process.stdout.read(_MOST_TEXT - len(text)):
            text += piece
            if len(text) == _MOST_TEXT:
                return text.decode(errors="replace"), None
        return text.decode(errors="replace"), await reason(process)


def _utf8(found: Fetched) -> bytes:
    """Return text in UTF-8 where the answer says what it is in; its reader finds out the rest."""
    if found.charset is None:
        return found.data
    try:
        return found.data.decode(found.charset, errors="replace").encode()
    except (LookupError, ValueError):
        return found.data
