"""A database that fails when it is told to, and workers that a test drives by hand."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from eunoe.domain.agents import Agent
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Text
from eunoe.domain.runs import Run, RunOptions
from eunoe.engine.cancellation import Cancellation
from eunoe.errors import DatabaseUnreachable, DiskFull
from eunoe.runs.feed import Feed
from eunoe.runs.followups import FollowUps
from eunoe.runs.submit import Submission, submit
from eunoe.runs.windows import Windows
from eunoe.runs.worker import Worker
from eunoe.store import runs
from eunoe.store.db import Actor, Database, Dialect, Tx, UniqueViolated
from tests.runs.conftest import ACTOR, World, toolboxes

When = Literal["before", "instead", "after"]
"""Before anything is written, instead of the commit, or after it: then nobody knows it was made."""


@dataclass(kw_only=True)
class Fault:
    """Fails the `nth` transaction that writes, counted from 1."""

    nth: int
    when: When
    error: type[DatabaseUnreachable | DiskFull] | None = None
    met: bool = False

    def strike(self, when: When) -> None:
        if self.when != when or self.nth != 0:
            return
        self.met = True
        raise (self.error() if self.error else UniqueViolated("a row that is there already"))


class FaultyDatabase:
    """`db`, but for the one transaction that `fault` names."""

    def __init__(self, db: Database) -> None:
        self.url = db.url
        self.fault: Fault | None = None
        self._db = db

    @property
    def dialect(self) -> Dialect:
        return self._db.dialect

    @property
    def pool(self) -> Any:
        """What the job engine takes of a PostgreSQL database."""
        db: Any = self._db
        return db.pool

    @asynccontextmanager
    async def write(self, actor: Actor) -> AsyncGenerator[Tx]:
        fault = self.fault or Fault(nth=-1, when="before")
        fault.nth -= 1
        fault.strike("before")
        mine = fault.nth == 0
        async with self._db.write(actor) as tx:
            yield tx
            if mine:
                fault.strike("instead")
        if mine:
            fault.strike("after")

    def read(self, actor: Actor, *, long: bool = False) -> AbstractAsyncContextManager[Tx]:
        return self._db.read(actor, long=long)

    async def close(self) -> None:
        await self._db.close()


class Unqueued:
    """A queue that forgets: what it is given waits for a test to carry it out."""

    def taken(self, run: Run) -> Run:
        return run

    async def enqueue_in(self, tx: Tx, run_id: str) -> None:
        return

    async def enqueued(self, run: Run, actor: Actor) -> None:
        return

    async def enqueue_here(self, run_id: str) -> None:
        return


async def waiting(world: World, agent: Agent, text: str, **options: Any) -> Run:
    """Return a run that was taken in and that nobody carries out."""
    said = InputMessage(role="user", content=(Text(text=text),), otid="otid")
    submission = Submission(agent_id=agent.id, messages=(said,), options=RunOptions(**options))
    return (await submit(world.db, Unqueued(), Feed(world.db), ACTOR, submission)).run


def worker(world: World, *, feed: Feed | None = None) -> Worker:
    """Return a worker as another process would have it."""

    async def remember(actor: Actor, agent_id: str) -> None:
        return

    async def tell(run_id: str) -> None:
        return

    return Worker(
        db=world.db,
        feed=feed or Feed(world.db),
        windows=Windows(),
        models=world.registry,
        toolboxes=toolboxes(world.tools),
        remember=remember,
        peers=alone,
        follow_ups=FollowUps(db=world.db, queue=Unqueued),
        tell=tell,
    )


class Alone:
    """An agent's way to others where there are none: the counting tools ask for nobody."""

    async def ask(self, agent_id: str, text: str) -> tuple[str, ...]:
        raise NotImplementedError

    async def tell(self, agent_id: str, text: str) -> None:
        raise NotImplementedError

    async def tagged(self, *, every: Sequence[str], some: Sequence[str]) -> tuple[str, ...]:
        raise NotImplementedError

    async def members(self) -> tuple[str, ...]:
        raise NotImplementedError


def alone(*, actor: Actor, agent: Agent, run: Run, cancellation: Cancellation) -> Alone:
    return Alone()


async def stored(world: World, run_id: str) -> Run:
    async with world.db.read(ACTOR) as tx:
        run = await runs.get(tx, run_id)
    assert run is not None
    return run
