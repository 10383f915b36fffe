"""Carrying out batches: each item is an ordinary run, begun when it is its turn (G-21).

An item is a duty: so many at once as the operator allows, and what is left after a crash is
found again. It is begun in the transaction that stores its run, so that it is begun once.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from eunoe import ids
from eunoe.domain.batches import Batch, BatchItem
from eunoe.domain.events import RunEvent
from eunoe.domain.inputs import Ask
from eunoe.domain.runs import Run, RunStatus, is_terminal
from eunoe.errors import (
    Conflict,
    Invalid,
    ListBusy,
    Missing,
    NothingToCancel,
    RunExpired,
    WriteConflict,
)
from eunoe.runs.callbacks import CALLBACK
from eunoe.runs.jobs import Duty, present
from eunoe.runs.schedules import Entrance as Submitting
from eunoe.runs.submit import Submission, Taken
from eunoe.store import batches, runs
from eunoe.store.batches import Name
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there

ITEM: Final = "batch_item"
_RUN_TYPE: Final = "send_message_batch"
_AT_ONCE: Final = 8
_AHEAD: Final = 4
"""How many items are named for each that is carried out at once."""
_NEXT: Final = 4
"""How many are named when one has ended."""
_SEPARATOR: Final = "#"


class Entrance(Submitting, Protocol):
    """Takes requests in, follows runs and stops them."""

    def read(
        self, actor: Actor, run_id: str, *, after: int = 0
    ) -> AsyncGenerator[tuple[int, RunEvent]]: ...

    def cancel(self, actor: Actor, *, run_ids: Sequence[str]) -> Awaitable[dict[str, str]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    db: Database
    entrance: Entrance
    at_once: int = _AT_ONCE
    now: Callable[[], datetime] = present

    def duty(self) -> Duty:
        return Duty(name=ITEM, carry_out=self.carry_out, pending=self.pending, at_once=self.at_once)

    async def pending(self) -> list[str]:
        async with self.db.read(Actor()) as tx:
            found = await batches.ready(tx, limit=_AHEAD * self.at_once)
        return [_text(name) for name in found]

    async def carry_out(self, text: str) -> None:
        """Bring one item to its end, and name those whose turn it is then.

        Raises `ListBusy` for an item whose agent has something else to do.
        """
        name = _name(text)
        async with self.db.read(Actor()) as tx:
            found = await batches.left(tx, name)
        if found is None:
            return
        item, status, actor = found
        run_id = item.run_id
        if run_id is None:
            run_id = await self._begun(actor, item)
        elif status == "cancelled":
            await stop(self.entrance, actor, [run_id])
        if run_id is not None:
            await self._ended(actor, name, await self._followed(actor, run_id))
        await announce(self.db, self.entrance, name[0], limit=_NEXT)

    async def _begun(self, actor: Actor, item: BatchItem) -> str | None:
        """Return the run of an item, null where there is none to wait for."""
        name = (item.batch_id, item.place)

        async def claim(tx: Tx, run_id: str) -> bool:
            return await batches.begin(tx, name, run_id=run_id)

        try:
            submitted = await self.entrance.submit(actor, _submission(item), claim=claim)
        except Taken:
            return None
        except (ListBusy, WriteConflict):
            raise
        except (Conflict, Invalid, Missing) as error:
            await self._end(actor, name, status="failed", error=str(error))
            return None
        return submitted.run.id

    async def _followed(self, actor: Actor, run_id: str) -> Run | None:
        """Wait for the end of a run, which may be long past; null for one that was deleted."""
        run = await self._run(actor, run_id)
        if run is None or is_terminal(run.status):
            return run
        try:
            async for _ in self.entrance.read(actor, run_id):
                pass
        except RunExpired:
            # It has ended or gone since it was looked at, and its events with it.
            pass
        return await self._run(actor, run_id)

    async def _run(self, actor: Actor, run_id: str) -> Run | None:
        async with self.db.read(actor) as tx:
            return await runs.get(tx, run_id)

    async def _ended(self, actor: Actor, name: Name, run: Run | None) -> None:
        if run is None:
            gone = "The run was deleted before its end was seen."
            await self._end(actor, name, status="failed", error=gone)
        else:
            await self._end(actor, name, status=run.status, error=_error(run))

    async def _end(self, actor: Actor, name: Name, *, status: RunStatus, error: str | None) -> None:
        async with self.db.write(actor) as tx:
            told = await batches.end_item(tx, name, status=status, error=error, at=self.now())
        if told:
            await self.entrance.due(CALLBACK, name[0])


async def create(
    db: Database,
    entrance: Submitting,
    actor: Actor,
    asks: Sequence[tuple[str, Ask]],
    *,
    callback_url: str | None,
    now: datetime,
) -> str:
    """Store a batch of (agent, what it is asked) and have it begun; return its id."""
    batch = Batch(id=ids.new("job"), callback_url=callback_url, created_at=now)
    items = [
        BatchItem(batch_id=batch.id, place=place, agent_id=agent_id, ask=ask)
        for place, (agent_id, ask) in enumerate(asks)
    ]
    async with db.write(actor) as tx:
        await batches.insert(tx, batch, items)
    await announce(db, entrance, batch.id, limit=_AHEAD * _AT_ONCE)
    return batch.id


async def cancel(
    db: Database, entrance: Entrance, actor: Actor, batch_id: str, *, now: datetime
) -> None:
    """Stop a batch: what was not begun never is, and the runs under way are cancelled.

    One that is over stays as it is. Raises `Missing`.
    """
    async with db.write(actor) as tx:
        status = there(await batches.hold(tx, batch_id), "batch", batch_id)
        running = await batches.cancel(tx, batch_id, at=now) if status == "running" else []
    if running:
        await stop(entrance, actor, running)


async def stop(entrance: Entrance, actor: Actor, run_ids: Sequence[str]) -> None:
    try:
        await entrance.cancel(actor, run_ids=run_ids)
    except NothingToCancel:
        return


async def announce(db: Database, entrance: Submitting, batch_id: str, *, limit: int) -> None:
    """Have items begun whose turn it is, without waiting for the next scan."""
    async with db.read(Actor()) as tx:
        names = await batches.ready(tx, limit=limit, batch_id=batch_id)
    for name in names:
        await entrance.due(ITEM, _text(name))


def _text(name: Name) -> str:
    return f"{name[0]}{_SEPARATOR}{name[1]}"


def _name(text: str) -> Name:
    batch_id, _, place = text.partition(_SEPARATOR)
    return batch_id, int(place)


def _submission(item: BatchItem) -> Submission:
    return Submission(
        agent_id=item.agent_id,
        messages=item.ask.messages,
        answers=item.ask.answers,
        options=item.ask.options,
        background=True,
        run_type=_RUN_TYPE,
        metadata={"batch_id": item.batch_id},
    )


def _error(run: Run) -> str | None:
    """Return why a run failed, in a sentence where there is one."""
    if run.status != "failed":
        return None
    error = run.metadata.get("error")
    told = error.get("message") if isinstance(error, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- any JSON
    return told if isinstance(told, str) else f"The run ended with {run.stop_reason}."
