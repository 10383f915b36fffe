"""A run's events as a stream of server-sent events (streaming 2).

The stream reads the event log; it never drives the run. A client that leaves ends
this reading and nothing else (G-7).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, Protocol

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eunoe import telemetry
from eunoe.domain.events import Ended, Failed, RunEvent, Stopped
from eunoe.domain.messages import Json
from eunoe.errors import EunoeError
from eunoe.http.replies import encoded
from eunoe.ids import new
from eunoe.wire.messages import Lens
from eunoe.wire.stream import chunks, failure, ping, stop_reason

KEEPALIVE_S: Final = 20.0
DONE: Final = b"data: [DONE]\n\n"
COMMENT: Final = b": keepalive\n\n"


def frame(body: Json) -> bytes:
    return b"data: " + encoded(body) + b"\n\n"


def error_frame(body: Json) -> bytes:
    """Return a frame that makes the official clients raise (streaming 2.2)."""
    return b"event: error\n" + frame(body)


class Form(Protocol):
    """How one reader is shown a run: what stands in the stream for each thing it can meet."""

    def frames(self, event: RunEvent, *, seq: int) -> bytes:
        """Return the frames of an event, none where the reader does not want it."""
        ...

    def broken(self, error: EunoeError) -> bytes:
        """Return a proper end for a reading that failed; the run itself may be well."""
        ...

    def keepalive(self) -> bytes: ...


class Chunks:
    """The form of the Letta V1 API: pings that name the run, or comments where they are off."""

    def __init__(self, *, run_id: str, lens: Lens, pings: bool = True) -> None:
        self._run_id = run_id
        self._lens = lens
        self._pings = pings
        self._last_seq: int | None = None
        self._stopped = False
        self._failed = False

    def frames(self, event: RunEvent, *, seq: int) -> bytes:
        self._last_seq = seq
        self._stopped = self._stopped or isinstance(event, Stopped)
        self._failed = self._failed or isinstance(event, Failed)
        made = chunks(event, self._lens, seq=seq, pings=self._pings)
        if isinstance(event, Ended):
            return DONE
        if isinstance(event, Failed):
            return b"".join(map(error_frame, made))
        return b"".join(map(frame, made))

    def broken(self, error: EunoeError) -> bytes:
        """Return what is still missing of an end; the stream can be taken up from `seq_id`."""
        why = Failed(
            run_id=self._run_id, error_type="stream_incomplete", code=error.code, message=str(error)
        )
        end = b"" if self._stopped else frame({**stop_reason("error")})
        if not self._failed:
            end += error_frame(failure(why, seq=self._last_seq))
        return end + DONE

    def keepalive(self) -> bytes:
        if not self._pings:
            return COMMENT
        now = datetime.now(UTC).isoformat()
        return frame(ping(new("ping"), at=now, run_id=self._run_id, seq=self._last_seq))


class EventStream(Response):
    """The answer of a streaming route, from the first byte to the last.

    `keepalive_s` without data brings a sign of life, so that no client takes a slow tool
    for a dead server (streaming 2.14).
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[tuple[int, RunEvent]],
        *,
        run_id: str,
        form: Form,
        keepalive_s: float = KEEPALIVE_S,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(
            {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "X-Letta-Run-Id": run_id}
        )
        self._events = events
        self._form = form
        self._keepalive_s = keepalive_s
        self._clock = clock or asyncio.get_running_loop().time
        self._last_sent = self._clock()
        self._turn = asyncio.Lock()
        self._broken = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        with telemetry.observe_sse("runs") as session:
            whole = False
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
                tasks.start_soon(self._stay_alive, send)
                await self._read_all(send)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                whole = True
                tasks.cancel_scope.cancel()
            if not whole:
                session.departure = "client_cancel"
            elif self._broken:
                session.departure = "upstream_error"

    async def _read_all(self, send: Send) -> None:
        ended = False
        try:
            async with aclosing(self._events) as events:
                async for seq, event in events:
                    ended = isinstance(event, Ended)
                    await self._send(send, self._form.frames(event, seq=seq))
            if not ended:  # All of a finished run was read before.
                await self._send(send, DONE)
        except EunoeError as error:
            # The status is sent already, so nobody else would ever hear of it (S26).
            if error.kind == "unavailable":
                telemetry.report(error)
            self._broken = True
            await self._send(send, self._form.broken(error))

    async def _send(self, send: Send, data: bytes) -> None:
        if not data:
            return
        async with self._turn:
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self._last_sent = self._clock()

    async def _stay_alive(self, send: Send) -> None:
        while True:
            silence_s = self._clock() - self._last_sent
            if silence_s < self._keepalive_s:
                await anyio.sleep(self._keepalive_s - silence_s)
            else:
                await self._send(send, self._form.keepalive())


async def _until_gone(receive: Receive, reading: anyio.CancelScope) -> None:
    """End the reading when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    reading.cancel()
