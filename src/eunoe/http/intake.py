"""What every request passes before a route sees it: one prefix, a bounded body, clean text.

Pure ASGI, so that a stream's answer passes through untouched.
"""

import asyncio
import json
import re
from collections.abc import MutableMapping
from typing import Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eunoe import telemetry
from eunoe.domain.messages import Json
from eunoe.http.replies import JsonReply

DEFAULT_BODY_LIMIT: Final = 32 * 1024 * 1024
DEFAULT_BODY_TIMEOUT_S: Final = 120.0
# An upload is kept on disk, not in memory, and has a limit of its own.
_UPLOAD_LIMIT: Final = 64 * 1024 * 1024
_HEADER_LIMIT: Final = 64 * 1024
_HEADER_COUNT: Final = 128
_HEADERS_TOO_LARGE: Final = (
    f"There are more than {_HEADER_COUNT} headers, or {_HEADER_LIMIT} bytes of them; send fewer."
)
_TOO_LARGE: Final = "The body has more than {limit} bytes; send less at a time."
_TOO_SLOW: Final = "The body did not arrive within {seconds:g} seconds; send it again, faster."
# What is stored may be 254 deep, in a body around it; readers of JSON bear some more.
_DEPTH: Final = 300
_TOO_DEEP: Final = f"The body is nested more than {_DEPTH} levels deep; send flatter values."
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_EMPTY: Final = re.compile(rb"\{\}|\[\]")
_BUT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_DIRTY: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NUL: Final = "\x00"


class Intake:
    """Serves `/latest` as `/v1` (api 1.1) and refuses bodies past `limit` bytes with 413.

    Headers past 64 KiB or 128 in number are refused with 431, a body that takes longer than
    `timeout_s` to arrive with 408, JSON nested past 300 levels with 400.
    NULs and lone surrogates are dropped from JSON bodies, paths and queries (api 1.6).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: int = DEFAULT_BODY_LIMIT,
        timeout_s: float = DEFAULT_BODY_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._limit = limit
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _clean(scope)
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size > _HEADER_LIMIT or len(scope["headers"]) > _HEADER_COUNT:
            refusal = JsonReply({"detail": _HEADERS_TOO_LARGE}, status=431)
            await refusal(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        limit = self._limit
        if scope["path"].endswith("/upload"):
            limit = max(limit, _UPLOAD_LIMIT)
        if length.isdigit() and int(length) > limit:
            refusal = JsonReply({"detail": _TOO_LARGE.format(limit=limit)}, status=413)
            await refusal(scope, receive, send)
            return
        if length != b"0" or b"transfer-encoding" in headers:
            receive = _Body(
                receive,
                limit=limit,
                timeout_s=self._timeout_s,
                is_json=b"json" in headers.get(b"content-type", b"json"),
            )
        await self._app(scope, receive, send)


def _clean(scope: MutableMapping[str, Any]) -> None:
    path: str = scope["path"].replace(_NUL, "")
    if path.startswith("/latest/"):
        path = f"/v1{path.removeprefix('/latest')}"
    scope["path"] = path
    scope["query_string"] = scope["query_string"].replace(b"%00", b"")


class _Body:
    """Receives a request's body, counted and timed, and cleaned where it is JSON."""

    def __init__(self, receive: Receive, *, limit: int, timeout_s: float, is_json: bool) -> None:
        self._receive = receive
        self._limit = limit
        self._timeout_s = timeout_s
        self._deadline = asyncio.get_running_loop().time() + timeout_s
        self._is_json = is_json
        self._size = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            # What comes now is that the client has gone.
            return await self._receive()
        if not self._is_json:
            return await self._next()
        pieces: list[bytes] = []
        more = True
        while more:
            message = await self._next()
            if message["type"] != "http.request":
                return message
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(pieces)
        if is_too_deep(body):
            raise HTTPException(400, _TOO_DEEP)
        return {"type": "http.request", "body": cleaned(body), "more_body": False}

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            telemetry.count("request_timeout_total")
            text = _TOO_SLOW.format(seconds=self._timeout_s)
            raise HTTPException(408, text, headers={"Connection": "close"}) from None
        self._whole = not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise HTTPException(413, _TOO_LARGE.format(limit=self._limit))
        return message


def is_too_deep(body: bytes) -> bool:
    """Whether a JSON text is nested past what can be read and stored; a broken one is not."""
    if body.count(b"[") + body.count(b"{") <= _DEPTH:
        return False
    left = _STRING.sub(b"", body).translate(None, _BUT_BRACKETS)
    for _ in range(_DEPTH):
        flatter = _EMPTY.sub(b"", left)
        if len(flatter) == len(left):
            return False
        left = flatter
    return bool(left)


def cleaned(body: bytes) -> bytes:
    """Return a JSON text without NULs and lone surrogates; any other text as it is."""
    if _DIRTY.search(body) is None:
        return body
    try:
        return json.dumps(scrubbed(json.loads(body)), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return body


def scrubbed(value: object) -> object:
    """Return a JSON value whose texts can be encoded and stored."""
    if isinstance(value, str):
        return value.replace(_NUL, "").encode("utf-8", "ignore").decode()
    if isinstance(value, list):
        return [scrubbed(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        pairs = cast("Json", value).items()
        return {str(scrubbed(key)): scrubbed(item) for key, item in pairs}
    return value
