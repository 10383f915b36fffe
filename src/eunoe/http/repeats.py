"""`Idempotency-Key`: a POST that is sent again is answered again, and done once.

Pure ASGI, inside the gates, so that who asks is known. No transaction is open while the
request is handled: a row says that it is, for as long as its owner renews it. A request that
makes a run needs no answer kept: handled again, it finds its run by the key (`runs/submit`).
"""

import asyncio
import hashlib
import re
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eunoe.errors import AnswerLost, EunoeError, KeyInUse, KeyReused, OutcomeUnknown
from eunoe.http.errors import answer_of
from eunoe.http.token_gate import CALLER_KEY
from eunoe.store import kept_answers
from eunoe.store.db import COMMITS, Actor, Database

KEY: Final = "idempotency-key"
_NAME: Final = KEY.encode()
_NO_RETRY: Final = (b"x-should-retry", b"false")
MOST_KEPT: Final = 1024 * 1024
HELD: Final = timedelta(seconds=30)
_RENEW_S: Final = 10.0
_MAKES_RUN: Final = re.compile(r".*/(messages(/stream|/async)?|chat/completions|responses)/?")
_NOT_DONE: Final = frozenset({401, 403, 408, 409, 425, 429})
"""Answers to what had no effect: the same request may fare better later."""
_REACHES_OUT: Final = re.compile(r".*/run/?|/mcp/?")
"""Where tools are called, which do more than is stored here."""


class Repeats:
    """ASGI middleware; a request without the header passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or all(name != _NAME for name, _ in scope["headers"])
        ):
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            return
        request = _Request(scope["app"].state.runtime.db, scope, body)
        answer = await request.begun()
        if answer is not None:
            await answer(scope, receive, send)
            return
        await request.handled(self._app, scope, given_again(body, receive), send)


class _Request:
    """One request with a key, from the first look at its row to the answer in it."""

    def __init__(self, db: Database, scope: Scope, body: bytes) -> None:
        self._db = db
        self._path: str = scope["path"]
        self._key = _hash(*_identity(scope))
        self._body_hash = _hash(body)
        self._owner = uuid.uuid4().hex
        self._start: Message = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._settled = False
        self._commits: list[None] = []

    async def begun(self) -> Response | None:
        """Return the answer that there is to give already; null where it is to be made."""
        now = datetime.now(UTC)
        async with self._db.write(Actor()) as tx:
            if await kept_answers.begin(
                tx, self._key, self._body_hash, owner=self._owner, at=now, until=now + HELD
            ):
                return None
            kept = await kept_answers.get(tx, self._key)
            if kept is None or (kept.status is None and kept.held_until > now):
                return _told(KeyInUse(), {"Retry-After": "1", "x-should-retry": "true"})
            if kept.body_hash != self._body_hash:
                return answer_of(KeyReused())
            if kept.status is not None and kept.body is not None:
                return _repeated(kept)
            if kept.run_id is None and _MAKES_RUN.fullmatch(self._path) is None:
                broken = kept.status is None or _failed(kept.status)
                return answer_of(OutcomeUnknown() if broken else AnswerLost())
            taken = await kept_answers.take_over(
                tx, self._key, kept, owner=self._owner, until=now + HELD
            )
        return None if taken else _told(KeyInUse(), {"Retry-After": "1", "x-should-retry": "true"})

    async def handled(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request be answered, and keep what is said before anybody hears it whole."""
        renewing = asyncio.create_task(self._renew())
        counted = COMMITS.set(self._commits)

        async def hear(message: Message) -> None:
            await send(await self._heard(message))

        try:
            await app(scope, receive, hear)
        except Exception:
            self._start = {"status": HTTPStatus.INTERNAL_SERVER_ERROR}
            await self._came_to_nothing()
            raise
        finally:
            COMMITS.reset(counted)
            renewing.cancel()

    async def _renew(self) -> None:
        while not self._settled:
            await asyncio.sleep(_RENEW_S)
            until = datetime.now(UTC) + HELD
            with suppress(EunoeError):  # The next one may do; three fit into what is held.
                async with self._db.write(Actor()) as tx:
                    await kept_answers.hold(tx, self._key, owner=self._owner, until=until)

    async def _heard(self, message: Message) -> Message:
        """Note what is told, and return how it is to be told."""
        if self._settled:
            return message
        if message["type"] == "http.response.start":
            self._start = message
            status: int = message["status"]
            if (status in _NOT_DONE or _failed(status)) and not await self._came_to_nothing():
                told = [one for one in message["headers"] if one[0] != _NO_RETRY[0]]
                return {**message, "headers": [*told, _NO_RETRY]}
            if "event-stream" in self._header("content-type"):
                await self._keep(None)
        elif message["type"] == "http.response.body":
            piece: bytes = message.get("body", b"")
            self._size += len(piece)
            if self._size <= MOST_KEPT:
                self._pieces.append(piece)
            if not message.get("more_body", False):
                whole = b"".join(self._pieces) if self._size <= MOST_KEPT else None
                await self._keep(_text(whole))
        return message

    async def _came_to_nothing(self) -> bool:
        """Let a request that failed be sent again; false where it may have done something.

        What it says of itself is not enough: a commit whose answer was lost has been made.
        A run is found again, whatever became of the request that made it.
        """
        makes_run = _MAKES_RUN.fullmatch(self._path) is not None
        reaches_out = _REACHES_OUT.fullmatch(self._path) is not None
        touched = bool(self._commits) or reaches_out
        if _failed(self._start["status"]) and touched and not makes_run:
            await self._keep(None)
            return False
        await self._release()
        return True

    def _header(self, name: str) -> str:
        return Headers(raw=self._start.get("headers", [])).get(name, "")

    async def _keep(self, body: str | None) -> None:
        if self._settled:
            return
        self._settled = True
        with suppress(EunoeError):  # It is told all the same; a repeat learns that it is lost.
            async with self._db.write(Actor()) as tx:
                await kept_answers.keep(
                    tx,
                    self._key,
                    owner=self._owner,
                    status=self._start["status"],
                    run_id=self._header("x-letta-run-id") or None,
                    content_type=self._header("content-type") or None,
                    body=body,
                )

    async def _release(self) -> None:
        if self._settled:
            return
        self._settled = True
        with suppress(EunoeError):
            async with self._db.write(Actor()) as tx:
                await kept_answers.release(tx, self._key, owner=self._owner)


def _identity(scope: Scope) -> tuple[bytes, ...]:
    """Return what makes two requests the same: who asks, for what, with which key."""
    headers = Headers(scope=scope)
    caller: str = scope.get(CALLER_KEY, "")
    return (
        caller.encode(),
        headers.get("user_id", "").encode(),
        scope["path"].rstrip("/").encode(),
        scope["query_string"],
        headers[KEY].encode(),
    )


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


async def _whole(receive: Receive) -> bytes | None:
    """Return the body, null where the client left before it was sent."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def given_again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was received whole, then whatever comes."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


def _failed(status: int) -> bool:
    """Whether it is unknown what became of a request with such an answer."""
    return status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _text(body: bytes | None) -> str | None:
    """Return the body as it can be stored, null for one that is no text."""
    try:
        return None if body is None or b"\0" in body else body.decode()
    except UnicodeDecodeError:
        return None


def _repeated(kept: kept_answers.Kept) -> Response:
    headers = {"Idempotency-Replayed": "true"}
    if kept.run_id is not None:
        headers["X-Letta-Run-Id"] = kept.run_id
    if kept.content_type is not None:
        headers["Content-Type"] = kept.content_type
    return Response(kept.body, status_code=kept.status or HTTPStatus.OK, headers=headers)


def _told(error: EunoeError, headers: dict[str, str]) -> Response:
    answer = answer_of(error)
    answer.headers.update(headers)
    return answer
