"""Gates on the way of a run, which the test keeps: a run is held exactly at the place it is wanted at.

A server that is put to the test, and its tool, say at each gate that they have come to it, over
a connection of that moment, and go on when they are answered. A gate that nobody holds answers
at once. Replies of the model are held here as well, after so many of their chunks: the model
server is the test's own.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Self

from eunoe.testing.http_server import Answer, Answerer, Request

ANYBODY: Final = "-"
_REPLY: Final = "reply"


async def passed(port: int, place: str, who: str, fence: int) -> None:
    """Come to a gate, in the server's process; return when it is open."""
    with suppress(OSError):  # At the end of a test nobody keeps the gates any more.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"{place} {who} {fence}\n".encode())
            await reader.readline()
        finally:
            writer.close()


@dataclass(kw_only=True, eq=False)
class Hold:
    """A run that is to be held once: at the `nth` time that the work of `who` comes to `place`.

    `owner` is the least fence that counts: 2 is whoever took the run over.
    """

    place: str
    who: str = ANYBODY
    nth: int = 1
    owner: int = 0
    chunks: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def is_met(self, place: str, who: str, fence: int) -> bool:
        """Whether this is the time to be held; called at each coming to a gate."""
        if place != self.place or self.who not in {who, ANYBODY} or fence < self.owner:
            return False
        self.nth -= 1
        return self.nth == 0

    async def wait(self) -> None:
        self.arrived.set()
        await self.opened.wait()


class Gates:
    """All gates of the servers of one test."""

    def __init__(self) -> None:
        self.port = 0
        self._holds: list[Hold] = []

    @classmethod
    @asynccontextmanager
    async def kept(cls) -> AsyncGenerator[Self]:
        gates = cls()
        server = await asyncio.start_server(gates._asked, "127.0.0.1", 0, backlog=1024)
        gates.port = server.sockets[0].getsockname()[1]
        yield gates
        gates.open_all()
        server.close()

    def hold(self, hold: Hold) -> Hold:
        self._holds.append(hold)
        return hold

    def open_all(self) -> None:
        holds, self._holds = self._holds, []
        for hold in holds:
            hold.opened.set()

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            place, who, fence = (await reader.readline()).decode().split()
            for hold in self._holds:
                if hold.is_met(place, who, int(fence)):
                    await hold.wait()
            writer.write(b"\n")
            await writer.drain()
        writer.close()

    def with_replies_held(self, answer: Answerer) -> Answerer:
        """Return a model server whose replies stop after `Hold.chunks` where that is wanted."""

        def answered(request: Request) -> Answer:
            reply = answer(request)
            for hold in self._holds:
                if (
                    hold.place == _REPLY
                    and not isinstance(reply, bytes)
                    and hold.who.encode() in request.body
                    and hold.is_met(_REPLY, hold.who, 0)
                ):
                    whole = b'"stream":true' not in request.body
                    return _stopping(reply, hold, after=0 if whole else hold.chunks)
            return reply

        return answered


async def _stopping(reply: AsyncIterator[bytes], hold: Hold, *, after: int) -> AsyncIterator[bytes]:
    """Give a reply whose head and `after` more pieces come at once, and the rest when it may."""
    given = 0
    async for piece in reply:
        if given == after + (after > 0):
            await hold.wait()
        given += 1
        yield piece
