"""PgQueuer as `jobs` uses it: in memory beside SQLite, in PostgreSQL else.

Importing it takes a tenth of a start, so that beside SQLite it is imported when requests are
taken already.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from pgqueuer import AsyncpgDriver, InMemoryQueries, PgQueuer, Queries, RetryRequested
from pgqueuer.models import Job, Schedule

from eunoe.runs.jobs import RUN, Ears, PutOff
from eunoe.runs.queue_driver import Looks, PatientDriver
from eunoe.store.db import Database, Tx

_HOURLY: Final = "0 * * * *"
_BATCH: Final = 16


class Queue:
    """One dispatcher: what was put into it is given to who takes that kind."""

    def __init__(self, db: Database, ears: Ears) -> None:
        match db.dialect:
            case "sqlite":
                self._queuer = PgQueuer.in_memory()
            case "postgresql":
                pool: Any = cast("Any", db).pool
                driver = PatientDriver(pool, ears)
                self._queuer = PgQueuer(driver, queries=Looks(driver))
        self._queries: Queries | InMemoryQueries = cast("Any", self._queuer.queries)

    def give(
        self, kind: str, work: Callable[[str, int], Awaitable[None]], *, at_once: int = 0
    ) -> None:
        """Have `work` called with each name of the kind and how often it was tried; 0 is no bound.

        What raises `PutOff` is tried again, and what is not begun when it is shut is put back.
        """

        async def carry_out(job: Job) -> None:
            if self._queuer.shutdown.is_set():
                raise RetryRequested(timedelta())
            try:
                await work((job.payload or b"").decode(), job.attempts)
            except PutOff as later:
                raise RetryRequested(later.delay) from later
            if at_once:
                # The engine itself notes it within 0.1 s, until when its place is not free.
                await self._queries.log_jobs([(job, "successful", None)])

        self._queuer.entrypoint(kind, concurrency_limit=at_once)(carry_out)

    def give_hourly(self, kind: str, work: Callable[[], Awaitable[None]]) -> None:
        """Have `work` called once an hour, by one of all processes."""

        async def carry_out(_: Schedule) -> None:
            await work()

        self._queuer.schedule(kind, _HOURLY)(carry_out)

    async def run(self, *, heartbeat: timedelta, look: timedelta) -> None:
        """Dispatch until it is shut and what has begun has ended.

        A job without a heartbeat for so long is taken over; an idle dispatcher looks so often.
        """
        await self._queuer.run(heartbeat_timeout=heartbeat, dequeue_timeout=look, batch_size=_BATCH)

    def shut(self) -> None:
        """Begin nothing more."""
        self._queuer.shutdown.set()

    async def put(self, jobs: Sequence[tuple[str, str]], *, delay: timedelta) -> None:
        """Put in what is not in yet, (kind, name) each, in one statement."""
        await self._queries.enqueue(
            [kind for kind, _ in jobs],
            [name.encode() for _, name in jobs],
            [0] * len(jobs),
            execute_after=[delay for _ in jobs],
            dedupe_key=[name if kind == RUN else f"{kind}:{name}" for kind, name in jobs],
            on_conflict="skip",
        )

    async def trim(self) -> None:
        """Forget what has been done: the engine in memory keeps a row for each change of a job."""
        if isinstance(self._queries, InMemoryQueries):
            await self._queries.clear_queue_log()


async def put_in(tx: Tx, run_id: str) -> None:
    """Put a run into the queue of PostgreSQL with the transaction that makes it."""
    await Queries(AsyncpgDriver(tx.raw)).enqueue(
        RUN, run_id.encode(), dedupe_key=run_id, on_conflict="skip"
    )
