"""Carrying out schedules: a time that is due becomes one run, whoever and how many look (api 25.1).

The time is taken in the transaction that stores the run, so that no crash loses it or makes two
of it. A list that is busy, or waits for an approval, leaves the row as it was, and the job engine
comes back.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from eunoe.domain.schedules import Once, Schedule, next_time
from eunoe.runs.jobs import Duty, present
from eunoe.runs.submit import Claim, Submission, Submitted, Taken
from eunoe.store import schedules
from eunoe.store.db import Actor, Database, Tx, from_micros, to_micros

SCHEDULE: Final = "schedule"
_RUN_TYPE: Final = "send_message_scheduled"
_AT_ONCE: Final = 4
_SEPARATOR: Final = "@"


class Entrance(Protocol):
    """Takes requests in, and has duties carried out."""

    def submit(
        self, actor: Actor, submission: Submission, *, claim: Claim | None = None
    ) -> Awaitable[Submitted]: ...

    def due(self, duty: str, name: str, *, delay: timedelta = ...) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    db: Database
    entrance: Entrance
    now: Callable[[], datetime] = present

    def duty(self) -> Duty:
        return Duty(name=SCHEDULE, carry_out=self.carry_out, pending=self.pending, at_once=_AT_ONCE)

    async def pending(self) -> list[str]:
        async with self.db.read(Actor()) as tx:
            found = await schedules.due(tx, now=self.now())
        return [_name(schedule_id, at) for schedule_id, at in found]

    async def carry_out(self, name: str) -> None:
        """Make the run of one time of a schedule; do nothing where that was done, or is too early.

        Raises what keeps the agent from being asked now.
        """
        schedule_id, _, micros = name.partition(_SEPARATOR)
        at, now = from_micros(int(micros)), self.now()
        async with self.db.read(Actor()) as tx:
            found = await schedules.due_at(tx, schedule_id, at)
        if found is None or at > now:
            return
        schedule, actor = found
        then = next_time(schedule.when, after=now)

        async def claim(tx: Tx, run_id: str) -> bool:
            return await schedules.take(tx, schedule_id, at, run_id=run_id, now=now, then=then)

        try:
            await self.entrance.submit(actor, _submission(schedule), claim=claim)
        except Taken:
            return
        await announce(self.entrance, schedule_id, then, now=now)


async def announce(
    entrance: Entrance, schedule_id: str, at: datetime | None, *, now: datetime
) -> None:
    """Have a schedule carried out on time, not at the next scan; call it after the commit."""
    if at is not None:
        await entrance.due(SCHEDULE, _name(schedule_id, at), delay=max(timedelta(), at - now))


def _name(schedule_id: str, at: datetime) -> str:
    return f"{schedule_id}{_SEPARATOR}{to_micros(at)}"


def _submission(schedule: Schedule) -> Submission:
    said = schedule.ask.messages
    if not isinstance(schedule.when, Once):
        # An otid is given to one message alone.
        said = tuple(replace(message, otid=str(uuid.uuid4())) for message in said)
    return Submission(
        agent_id=schedule.agent_id,
        messages=said,
        options=schedule.ask.options,
        background=True,
        run_type=_RUN_TYPE,
    )
