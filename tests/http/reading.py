"""A client of one ASGI response, frame by frame, and events to be streamed."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio
import orjson
from starlette.types import ASGIApp, Message, Scope

from eunoe.domain.events import Ended, Failed, RunEvent, Shown, Started, Stopped, Used
from eunoe.domain.runs import Usage
from eunoe.domain.views import Answered
from tests.wire.said import AT, RUN, view

STARTED = Started(run_id=RUN, ping_id="ping-1", at=AT.isoformat())
SAID = Shown(view=view(Answered(text="Hi.")))
STOPPED = Stopped(reason="end_turn")
USED = Used(usage=Usage(), step_count=1, context_tokens=None)
FAILED = Failed(run_id=RUN, error_type="llm_error", code="llm_error", message="No.")
ENDED = Ended()


async def numbered(events: Sequence[RunEvent]) -> AsyncGenerator[tuple[int, RunEvent]]:
    for seq, event in enumerate(events, 1):
        yield seq, event


class Client:
    """Reads what `app` answers to a request; `leave` closes the connection."""

    def __init__(self, app: ASGIApp, scope: Scope | None = None, body: bytes = b"") -> None:
        self.app = app
        self.scope: Scope = {"type": "http", "headers": [], **(scope or {})}
        self.chunks: asyncio.Queue[Message] = asyncio.Queue()
        self._body = [body]
        self._gone = asyncio.Event()

    def leave(self) -> None:
        self._gone.set()

    async def run(self) -> None:
        await self.app(self.scope, self._receive, self.chunks.put)

    async def read(self) -> bytes:
        """Return the next piece of the body; wait at most ten seconds for it."""
        with anyio.fail_after(10):
            while (message := await self.chunks.get())["type"] != "http.response.body":
                pass
        body: bytes = message["body"]
        return body

    async def whole(self) -> tuple[Message, bytes]:
        """Run to the end; return the start of the answer and its whole body."""
        with anyio.fail_after(10):
            await self.run()
        start, *rest = [self.chunks.get_nowait() for _ in range(self.chunks.qsize())]
        return start, b"".join(message["body"] for message in rest)

    async def _receive(self) -> Message:
        if self._body:
            return {"type": "http.request", "body": self._body.pop(0), "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}


def frames(body: bytes) -> list[Any]:
    """Return the frames of a stream: JSON, the name of a named one before it, other text as is."""
    found: list[Any] = []
    for block in body.decode().split("\n\n")[:-1]:
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            found.append(orjson.loads(value) if value.startswith("{") else value or name)
    return found


def kinds(body: bytes) -> list[str]:
    """Return the message type of each frame, or the frame itself where it is plain text."""
    return [one["message_type"] if isinstance(one, dict) else str(one) for one in frames(body)]
