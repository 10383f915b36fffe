"""What every request passes before a route sees it: one prefix, a bounded body, clean text.

Pure ASGI, so that a stream's answer passes through untouched.
"""

import json
import re
from collections.abc import MutableMapping
from typing import Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eunoe.domain.messages import Json
from eunoe.http.replies import JsonReply

DEFAULT_BODY_LIMIT: Final = 32 * 1024 * 1024
# An upload is kept on disk, not in memory, and has a limit of its own.
_UPLOAD_LIMIT: Final = 64 * 1024 * 1024
_HEADER_LIMIT: Final = 64 * 1024
_HEADERS_TOO_LARGE: Final = f"The headers have more than {_HEADER_LIMIT} bytes; send fewer."
_TOO_LARGE: Final = "The body has more than {limit} bytes; send less at a time."
_DIRTY: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NUL: Final = "\x00"


class Intake:
    """Serves `/latest` as `/v1` (api 1.1) and refuses bodies past `limit` bytes with 413.

    Headers past 64 KiB are refused with 431.
    NULs and lone surrogates are dropped from JSON bodies, paths and queries (api 1.6).
    """

    def __init__(self, app: ASGIApp, *, limit: int = DEFAULT_BODY_LIMIT) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _clean(scope)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _HEADER_LIMIT:
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
    """Receives a request's body, counted, and cleaned where it is JSON."""

    def __init__(self, receive: Receive, *, limit: int, is_json: bool) -> None:
        self._receive = receive
        self._limit = limit
        self._is_json = is_json
        self._size = 0
        self._whole = False

    async def __call__(self) -> Message:
        if not self._is_json or self._whole:
            return await self._next()
        pieces: list[bytes] = []
        more = True
        while more:
            message = await self._next()
            if message["type"] != "http.request":
                return message
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        self._whole = True
        return {"type": "http.request", "body": cleaned(b"".join(pieces)), "more_body": False}

    async def _next(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise HTTPException(413, _TOO_LARGE.format(limit=self._limit))
        return message


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
