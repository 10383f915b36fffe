"""A request that its client sends again by itself while the first is still somewhere: one run."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from eunoe.domain.agents import Agent
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Text, text_of
from eunoe.domain.runs import Busy, RunOptions
from eunoe.errors import ListBusy
from eunoe.runs.feed import Feed
from eunoe.runs.submit import Submission, Submitted, submit
from eunoe.store.db import Actor, Database, Dialect, Tx, Value
from tests.runs.conftest import ACTOR, World
from tests.runs.faulty import Unqueued

pytestmark = pytest.mark.anyio

_LONG_AGO = timedelta(seconds=1)


@dataclass
class Paused:
    """A database whose transactions stop before they store a run, until they may go on.

    SQLite has one writer, which nobody else could be meanwhile: there they stop at the door.
    """

    db: Database
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def dialect(self) -> Dialect:
        return self.db.dialect

    @asynccontextmanager
    async def write(self, actor: Actor) -> AsyncGenerator[Tx]:
        if self.dialect == "sqlite":
            await self.stop()
        async with self.db.write(actor) as tx:
            yield cast("Tx", _PausedTx(tx, self))

    async def stop(self) -> None:
        self.reached.set()
        await self.gate.wait()


class _PausedTx:
    def __init__(self, tx: Tx, paused: Paused) -> None:
        self._tx = tx
        self._paused = paused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def fetch_value(self, sql: str, *args: Value) -> Any:
        if sql.startswith("INSERT INTO runs") and self._tx.dialect == "postgresql":
            await self._paused.stop()
        return await self._tx.fetch_value(sql, *args)


def request(agent: Agent, busy: Busy = "reject") -> Submission:
    """Return a first try that arrived a while ago."""
    return Submission(
        agent_id=agent.id,
        messages=(InputMessage(role="user", content=(Text(text="SAY once"),), otid="given"),),
        options=RunOptions(),
        request_hash="the same",
        arrived_at=datetime.now(UTC) - _LONG_AGO,
        busy=busy,
    )


def again(first: Submission) -> Submission:
    return replace(first, retry_count=1, arrived_at=datetime.now(UTC))


async def by_hand(db: Any, world: World, submission: Submission) -> Submitted:
    """Take a request in as another process would, which does not carry it out."""
    return await submit(db, Unqueued(), Feed(world.db), ACTOR, submission)


async def said(world: World, agent: Agent) -> int:
    return sum(text_of(m) == "SAY once" for m in await world.window(agent))


@pytest.mark.rule("G-6", "streaming-1.11")
async def test_a_first_try_that_was_paused_is_its_retry(world: World) -> None:
    agent = await world.agent()
    first, paused = request(agent), Paused(world.db)
    late = asyncio.create_task(by_hand(paused, world, first))
    await paused.reached.wait()
    retried = await world.runner.submit(ACTOR, again(first))
    assert (await world.runner.fold(ACTOR, retried.run.id)).reason == "end_turn"

    paused.gate.set()

    found = await late
    assert (found.run.id, found.repeated) == (retried.run.id, True)
    assert await said(world, agent) == 1
    genuine = await world.runner.submit(ACTOR, replace(first, arrived_at=datetime.now(UTC)))
    assert not genuine.repeated


@pytest.mark.rule("G-6", "streaming-1.11")
async def test_a_retry_waits_for_a_first_try_that_is_being_stored(world: World) -> None:
    """The claim is the last but one thing in the transaction: all but the commit is done."""
    agent = await world.agent()
    first = request(agent)
    stored, gate = asyncio.Event(), asyncio.Event()

    async def held(_tx: Tx, _run_id: str) -> bool:
        stored.set()
        await gate.wait()
        return True

    storing = asyncio.create_task(world.runner.submit(ACTOR, first, claim=held))
    await stored.wait()
    retries = [asyncio.create_task(world.runner.submit(ACTOR, again(first))) for _ in range(2)]
    await asyncio.wait(retries, timeout=0.1)
    gate.set()

    made = await storing
    assert {(await one).run.id for one in retries} == {made.run.id}
    await world.runner.fold(ACTOR, made.run.id)
    assert await said(world, agent) == 1


@pytest.mark.rule("G-6", "streaming-4.9")
async def test_tries_that_wait_in_line_are_one_run(world: World) -> None:
    agent = await world.agent()
    await world.submit(agent, "CALL wait {}")
    await world.tools.entered.wait()
    first = request(agent, "queue")
    tries = [first, *(again(first) for _ in range(4))]
    made = await asyncio.gather(*(world.runner.submit(ACTOR, one) for one in tries))
    twin = await world.runner.submit(ACTOR, replace(first, arrived_at=datetime.now(UTC)))
    assert len({one.run.id for one in made}) == 1
    assert [one.repeated for one in made].count(False) == 1
    assert twin.run.id != made[0].run.id
    world.tools.gate.set()
    await world.runner.fold(ACTOR, twin.run.id)
    assert await said(world, agent) == 2


@pytest.mark.rule("G-6", "G-12")
async def test_first_tries_that_take_long_are_requests_of_their_own(world: World) -> None:
    """Only what was made for a retry can be that of a first try."""
    agent = await world.agent()
    first = request(agent)
    made = await world.runner.submit(ACTOR, first)
    with pytest.raises(ListBusy):
        await by_hand(world.db, world, replace(first, busy="reject"))
    await world.runner.fold(ACTOR, made.run.id)
    assert not (await world.runner.submit(ACTOR, first)).repeated
