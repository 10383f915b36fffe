"""The job engine's way to PostgreSQL: it waits for a server that went away, and listens again.

Its connection that listens is the one of this process: other notices are heard there too.

The engine's own driver ends the whole dispatcher at the first lost connection, and
then only after every run under way has ended: one restart of the database, and
nothing would be started any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import structlog
from pgqueuer import AsyncpgPoolDriver, Queries
from pgqueuer.models import Job
from pgqueuer.ports.driver import NotifyCallback
from pgqueuer.types import QueueEntrypoint

from eunoe.errors import DatabaseUnreachable
from eunoe.runs.jobs import Ears
from eunoe.store.postgresql_connection import DRIVER_ERRORS, limited, meaning

_PAUSE_S: Final = 0.5
_CHANGED: Final = '"table_changed_event"'
_DELETED: Final = '"operation" : "delete"'

T = TypeVar("T")

_log = structlog.get_logger("eunoe.jobs")


@dataclass(frozen=True, slots=True)
class _Heedful:
    """Hears of jobs that come, and of those that are done while others wait for a place.

    Once it has heard of a change, it needs to hear of no other before it has looked.
    """

    callback: NotifyCallback
    driver: "PatientDriver"

    def __call__(self, payload: str | bytes | bytearray) -> None:
        if _CHANGED in (said := str(payload)):
            if self.driver.news or (_DELETED in said and not self.driver.waiting):
                return
            self.driver.news = True
        self.callback(payload)


class Looks(Queries):
    """The dispatcher's statements, which let its driver know what it has to hear of."""

    driver: "PatientDriver"  # pyright: ignore[reportIncompatibleVariableOverride] -- nobody sets it
    _had_all = False

    async def dequeue(self, batch_size: int, *args: Any, **named: Any) -> list[Job]:  # noqa: ANN401 -- passed on as they come
        if self._had_all and not self.driver.news:
            # It asks until there are none; the last answer was all there were.
            self._had_all = False
            return []
        self.driver.news, self.driver.waiting = False, True
        jobs = await super().dequeue(batch_size, *args, **named)
        self._had_all = 0 < len(jobs) < batch_size
        return jobs

    async def eligible_queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        left = await super().eligible_queued_work(entrypoints)
        self.driver.waiting = left > 0
        return left


class PatientDriver(AsyncpgPoolDriver):
    """A pool whose statements are repeated until there is a server to take them.

    Repeating is safe: a job that was picked by a statement whose answer got lost is picked
    again when it shows no heartbeat.
    """

    def __init__(self, pool: Any, ears: Ears) -> None:  # noqa: ANN401 -- asyncpg is untyped
        super().__init__(pool)
        self._ears = ears
        self._release: Callable[[object], Awaitable[None]] = pool.release
        self.news = self.waiting = False
        self._wanted: list[tuple[str, NotifyCallback]] = []
        self._repairing: asyncio.Task[None] | None = None

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return await _patiently(lambda: super(PatientDriver, self).fetch(query, *args))

    async def execute(self, query: str, *args: object) -> str:
        return await _patiently(lambda: super(PatientDriver, self).execute(query, *args))

    async def notify(self, channel: str, payload: str) -> None:
        await _patiently(lambda: super(PatientDriver, self).notify(channel, payload))

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        wanted: list[tuple[str, NotifyCallback]] = [(channel, _Heedful(callback, self))]
        if self._listener_connection is None:
            wanted.extend(self._ears.heard.items())
        for one in wanted:
            await self._listen(*one)
            self._wanted.append(one)
        self._ears.listening(True)

    async def remove_listener(self, channel: str, callback: NotifyCallback) -> None:
        self._wanted.remove((channel, _Heedful(callback, self)))
        await super().remove_listener(channel, _Heedful(callback, self))

    async def __aexit__(self, *error: object) -> None:
        if self._repairing is not None:
            self._repairing.cancel()
            await asyncio.wait([self._repairing])
        self._ears.listening(False)
        self._entered -= 1
        listened = cast("Any", self._listener_connection)
        if self._entered > 0 or listened is None:
            return
        self._listener_connection = None
        try:
            await listened.reset()
            await limited(listened)  # Or the reset would have taken that away.
            await self._release(listened)
        except (OSError, *DRIVER_ERRORS) as gone:
            # The connection to be given back is lost; there is nothing to give.
            _log.warning("jobs.listener_lost", error=type(gone).__name__)

    async def _listen(self, channel: str, callback: NotifyCallback) -> None:
        await super().add_listener(channel, callback)
        cast("Any", self._listener_connection).add_termination_listener(self._lost)

    def _lost(self, connection: object) -> None:
        """Listen again on another connection, unless this one was given back on purpose."""
        if self._listener_connection is not None and self._repairing is None:
            _log.warning("jobs.listener_lost")
            self._ears.listening(False)
            self._repairing = asyncio.create_task(self._repair())

    async def _repair(self) -> None:
        await _patiently(self._listen_anew)
        self._repairing = None

    async def _listen_anew(self) -> None:
        gone, self._listener_connection = self._listener_connection, None
        if gone is not None:
            await self._release(gone)
        for channel, callback in self._wanted:
            await self._listen(channel, callback)
        self._ears.listening(True)


async def _patiently(statement: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await statement()
        except (OSError, *DRIVER_ERRORS) as error:
            if not isinstance(meaning(error, closed=True), DatabaseUnreachable):
                raise
            _log.warning("jobs.database_lost", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
