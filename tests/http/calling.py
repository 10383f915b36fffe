"""A receiver of callbacks, and the one that calls it, with a clock that the test moves."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from eunoe.domain.messages import Json
from eunoe.http.telling import Telling
from eunoe.runs.callbacks import Callbacks
from eunoe.runs.outbound import Outbound
from eunoe.testing.http_server import Request, response, serving
from tests.runs.conftest import World


@dataclass(slots=True)
class Receiver:
    """Answers with `statuses` in turn, the last one again and again; keeps what it was told."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    told: list[Request] = field(default_factory=list[Request])
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, request: Request) -> bytes:
        self.told.append(request)
        self.called.set()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return response(status, b"{}", headers={"location": f"{self.url}/elsewhere"})

    @property
    def bodies(self) -> list[Json]:
        return [orjson.loads(request.body) for request in self.told]


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    async with serving(receiver.answer) as url:
        receiver.url = url
        yield receiver


@dataclass(slots=True)
class Clock:
    now: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def calling(
    world: World, clock: Clock, *, allow_private: bool = True, secret: str | None = None
) -> AsyncGenerator[Callbacks]:
    """Return what makes callbacks in one process, when the test says so."""
    outbound = Outbound(allow_private=allow_private)
    telling = Telling(db=world.db, runner=world.runner)
    yield Callbacks(
        db=world.db,
        outbound=outbound,
        told={"run": telling.run, "job": telling.batch, "message": telling.approval},
        secret=secret,
        now=clock,
    )
    await outbound.close()


async def carry_out(callbacks: Callbacks) -> int:
    """Make the attempts that are due; return how many there were."""
    due = await callbacks.pending()
    for subject_id in due:
        await callbacks.carry_out(subject_id)
    return len(due)
