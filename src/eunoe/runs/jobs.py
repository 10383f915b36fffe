"""What runs is dispatched by PgQueuer: in memory beside SQLite, in PostgreSQL else.

A new run that somebody waits for begins at once, owned by the process that accepted it: it is
queued if it has to be tried again (`holding`). Beside SQLite every run begins so. The queue only
says that a run wants a worker; the run's own rows are the truth. What they say is unfinished is
queued again at the start and then every `SCAN_S`, so that no run is forgotten with a queue, a
worker or a request that died at the wrong moment (G-1, G-10).
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from eunoe.domain.runs import Run
from eunoe.errors import EunoeError, ListBusy
from eunoe.runs.holding import Holding
from eunoe.store.db import Actor, Database, Tx

if TYPE_CHECKING:
    from eunoe.runs.queue import Queue

RUN: Final = "run"
EMBED: Final = "embed"
_SWEEP: Final = "sweep"
QUIET: Final = timedelta(seconds=2)
HEARTBEAT_TIMEOUT: Final = timedelta(seconds=15)
_SHOWN_BY: Final = 2 / 3
"""The part of a heartbeat's time after which a run that is owned has a job for certain."""
# How long an idle dispatcher waits to look for jobs whose owner died: nobody announces those.
LOOK: Final = timedelta(seconds=2)
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 30.0
_LONGEST_BUSY_S: Final = 3.0
_MOST_STEPS: Final = 4
_RESTART_S: Final = 1.0
_HAND_OVER_S: Final = 2.0
_NOTICED_S: Final = 0.2
SCAN_S: Final = 10.0

Owned = tuple[Run, Actor]
"""A run that this process owns from its first moment, and for whom."""

_log = structlog.get_logger("eunoe.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Who is called with a notice of each channel, and told when notices may be missed.

    `listening` hears true whenever listening begins: what was said before then is to be read.
    """

    heard: Mapping[str, Callable[[str | bytes | bytearray], None]] = field(
        default_factory=dict[str, Callable[[str | bytes | bytearray], None]]
    )
    listening: Callable[[bool], None] = lambda _: None


class PutOff(Exception):
    """What was begun is to be tried again after `delay`."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__(delay)
        self.delay = delay


class Jobs(Protocol):
    """Hands runs to workers. The two calls frame the commit of the transaction that makes one."""

    def taken(self, run: Run) -> Run:
        """Return a new run as it is to be stored: owned by this process unless it may go to any."""
        ...

    async def enqueue_in(self, tx: Tx, run_id: str) -> None:
        """Queue a run that nobody owns with the transaction, where the queue is in its database."""
        ...

    async def enqueued(self, run: Run, actor: Actor) -> None:
        """Begin the run after its commit, where this process owns it."""
        ...


def present() -> datetime:
    """Return the present time; whoever waits for a time to come can be given another clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """A kind of work beside the runs, whose rows say what is left of it.

    `pending` names what is left and ready, and is asked at the start and every `SCAN_S`: so
    what is due survives every crash, and a request for it is only for speed. `carry_out` is
    called with one of those names until it returns; two processes may be called with the
    same name, so it claims its row before it does anything that shows. So many are worked on
    `at_once`, by all processes together.
    """

    name: str
    carry_out: Callable[[str], Awaitable[None]]
    pending: Callable[[], Awaitable[Sequence[str]]]
    at_once: int = 1


class Engine:
    """The queue and its workers, for the life of the process."""

    def __init__(
        self,
        db: Database,
        work: Callable[[str, Owned | None], Awaitable[None]],
        *,
        unfinished: Callable[[datetime], Awaitable[Sequence[str]]],
        embed: Callable[[str], Awaitable[None]],
        sweep: Callable[[], Awaitable[None]],
        ears: Ears | None = None,
    ) -> None:
        self._db = db
        self._ears = ears or Ears()
        self._unfinished = unfinished
        self._sweep = sweep
        self._queue: Queue | None = None
        self._opened = asyncio.Event()
        self._alone = False
        self._started_at = datetime.min.replace(tzinfo=UTC)
        self._task: asyncio.Task[None] | None = None
        self._scan: asyncio.Task[None] | None = None
        self._stopping = False
        # What a request is bound to in the log is not what its run is bound to.
        self._context = copy_context()
        self._begun: set[asyncio.Task[None]] = set()
        self._owned: dict[str, Owned] = {}
        self._take_up: Final = self._trying(RUN, lambda one: work(one, self._owned.pop(one, None)))
        self._embed: Final = self._trying(EMBED, embed)
        self._holding = Holding(db, RUN)
        self._shows: asyncio.Task[None] | None = None
        self._duties: list[Duty] = []
        self._cut: list[tuple[str, str]] = []

    def undertake(self, duty: Duty) -> None:
        """Take on a kind of work; before the start."""
        self._duties.append(duty)

    async def start(self) -> None:
        """Start dispatching, first what a past process left undone."""
        self._stopping = False
        self._started_at = present()
        self._opened.clear()
        self._task = asyncio.create_task(self._run())
        self._scan = asyncio.create_task(self._scan_on())
        self._alone = self._db.dialect == "sqlite"
        if not self._alone:
            every_s = HEARTBEAT_TIMEOUT.total_seconds() / 3
            self._shows = asyncio.create_task(self._holding.show_on(every_s))
            # A run may go to other processes here; beside SQLite it begins without the queue.
            await self._opened.wait()

    async def _run(self) -> None:
        """Dispatch until told to stop; a dispatcher that fails is followed by a new one."""
        while not self._stopping:
            try:
                await asyncio.to_thread(importlib.import_module, "eunoe.runs.queue")
                queue = self._queue = self._made()
                self._opened.set()
                if self._stopping:
                    queue.shut()
                await queue.run(heartbeat=HEARTBEAT_TIMEOUT, look=LOOK)
            except Exception as error:  # noqa: BLE001 -- whatever it was, runs must be carried out
                _log.exception("jobs.dispatcher_failed", error=type(error).__name__)
            if not self._stopping:
                await asyncio.sleep(_RESTART_S)

    def _made(self) -> "Queue":
        from eunoe.runs.queue import Queue  # noqa: PLC0415 -- it takes a tenth of a start

        queue = Queue(self._db, self._ears)
        queue.give(RUN, self._take_up)
        queue.give(EMBED, self._embed, at_once=1)
        for duty in self._duties:
            queue.give(duty.name, self._trying(duty.name, duty.carry_out), at_once=duty.at_once)
        queue.give_hourly(_SWEEP, self._sweep)
        return queue

    async def stop(self, *, grace_s: float) -> None:
        """Take no more work and let what runs finish within `grace_s`; may be called again.

        What is not done by then is left to the next owner, who need not wait until it is missed.
        """
        if self._task is None:
            return
        self._stopping = True
        if self._scan is not None:
            self._scan.cancel()
            await asyncio.wait([self._scan])
        if self._queue is not None:
            self._queue.shut()
        # Cancelled while it looks for work, it would wait for what has begun, however long.
        _, left = await asyncio.wait([self._task, *self._begun], timeout=max(grace_s, _NOTICED_S))
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        if self._shows is not None:
            self._shows.cancel()
            await asyncio.wait([self._shows])
            await self._hand_over()
        self._queue = self._task = self._shows = None

    async def _hand_over(self) -> None:
        """Queue again what was cut short, for another process."""
        try:
            # The engine waits for a database that is away; who is to end cannot.
            async with asyncio.timeout(_HAND_OVER_S):
                await self._holding.give_up([name for _, name in self._cut])
                await self._queue_up(self._cut)
        except Exception as error:  # noqa: BLE001 -- they are found by a scan all the same
            _log.warning("jobs.not_handed_over", error=type(error).__name__)

    def taken(self, run: Run) -> Run:
        works = self._task is not None and not self._stopping
        if self._alone or (works and not run.background):
            return replace(run, status="running", fence=1)
        return run

    async def enqueue_in(self, tx: Tx, run_id: str) -> None:
        if tx.dialect == "postgresql":
            from eunoe.runs.queue import put_in  # noqa: PLC0415 -- as in `_made`

            await put_in(tx, run_id)

    async def enqueued(self, run: Run, actor: Actor) -> None:
        if not run.fence:
            return
        if self._stopping:
            # It was accepted when there was no stopping yet; beside SQLite the next start finds it.
            await self._queue_up([(RUN, run.id)])
            return
        self._owned[run.id] = (run, actor)
        self._holding.begin(run.id)
        begun = asyncio.create_task(self._begin(run.id), context=self._context.copy())
        self._begun.add(begun)
        begun.add_done_callback(self._begun.discard)

    async def _begin(self, run_id: str) -> None:
        try:
            await self._take_up(run_id, 0)
        except PutOff as later:
            await self._holding.give_up([run_id])
            await self._queue_up([(RUN, run_id)], delay=later.delay)
        finally:
            self._holding.end(run_id)

    async def enqueue_here(self, run_id: str) -> None:
        """Queue a stored run that nobody owns, where the queue lives in this process."""
        if self._alone:
            await self.due(RUN, run_id)

    async def due(self, duty: str, name: str, *, delay: timedelta = timedelta()) -> None:
        """Have a duty carried out without waiting for the next scan; call it after the commit."""
        await self._queue_up([(duty, name)], delay=delay)

    async def _queue_up(
        self, jobs: Sequence[tuple[str, str]], *, delay: timedelta = timedelta()
    ) -> None:
        """Queue what is not queued yet, (kind, name) each, in one statement."""
        if not jobs or self._task is None:
            return
        await self._opened.wait()
        if self._queue is not None:
            await self._queue.put(jobs, delay=delay)

    def warn(self, run_id: str) -> None:
        """Let a run that waits here for its worker know that it is to stop."""
        if run_id in self._owned:
            run, actor = self._owned[run_id]
            self._owned[run_id] = (replace(run, cancel_requested=True), actor)

    async def _enqueue_unfinished(self) -> None:
        """Queue the unfinished runs that nobody carries out and that are not queued yet."""
        # One that was accepted since then may be owned without being shown yet, or not begun yet.
        young = present() - HEARTBEAT_TIMEOUT * _SHOWN_BY
        if self._alone:
            # What is older than this process is nobody's.
            young = max(young, self._started_at)
        left = [(RUN, run_id) for run_id in await self._unfinished(young)]
        for duty in self._duties:
            left.extend((duty.name, name) for name in await duty.pending())
        await self._queue_up(left)

    async def _scan_on(self) -> None:
        while True:
            try:
                await self._enqueue_unfinished()
                if self._queue is not None:
                    await self._queue.trim()
            except EunoeError as error:
                _log.warning("jobs.scan_failed", code=error.code)
            await asyncio.sleep(SCAN_S)

    def _trying(
        self, kind: str, work: Callable[[str], Awaitable[None]]
    ) -> Callable[[str, int], Awaitable[None]]:
        """Return `work` as the queue calls it: it puts off what it fails at (G-1)."""

        async def tried(name: str, attempts: int) -> None:
            try:
                await work(name)
            except asyncio.CancelledError:
                self._cut.append((kind, name))
                raise
            except Exception as error:
                # What only waits for its list is to begin soon after that is free.
                longest_s = _LONGEST_BUSY_S if isinstance(error, ListBusy) else _LONGEST_DELAY_S
                delay_s = min(_FIRST_DELAY_S * 4 ** min(attempts, _MOST_STEPS), longest_s)
                why = type(error).__name__
                _log.warning(f"{kind}.put_off", job=name, error=why, delay_s=delay_s)
                raise PutOff(timedelta(seconds=delay_s)) from error

        return tried
