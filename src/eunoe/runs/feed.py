"""A run's events, in order, from any place: the log first, then live.

Writing: each run has a `Recorder`. Deltas are put into it and become durable
together, at most `INTERVAL_S` later; what belongs to a checkpoint is written in the
checkpoint's own transaction. Readers are woken after the commit, so nothing is
shown that a crash could take back (G-4). A run that goes on in another process is read from
the log, whenever a notice says that it has grown.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Final
from weakref import WeakValueDictionary

import structlog

from eunoe.domain.events import Ended, Failed, RunEvent, Shown, Started, Stopped, Used
from eunoe.domain.runs import Run, Usage, is_terminal
from eunoe.domain.views import Answered, CallFragment, Thought
from eunoe.errors import EunoeError, RunExpired, ServerStopping
from eunoe.store import events, runs
from eunoe.store.db import Actor, Database, UniqueViolated

INTERVAL_S: Final = 0.01
_KEPT_LIVE: Final = 2_000
_POLL_S: Final = 1.0
# Where notices are heard, looking is for those that a dying connection swallowed.
_LOOK_S: Final = 5.0
_BATCH: Final = 500

_log = structlog.get_logger("eunoe.feed")

Numbered = tuple[int, RunEvent]


class _Live:
    """The newest events of a run that goes on in this process, and who waits for more."""

    def __init__(self) -> None:
        self.events: deque[Numbered] = deque(maxlen=_KEPT_LIVE)
        self.changed = asyncio.Event()
        self.ended = False
        self.owned = False

    @property
    def last(self) -> int:
        """The place of the newest event kept here, 0 where nothing was said here yet."""
        return self.events[-1][0] if self.events else 0

    def publish(self, new: Sequence[Numbered]) -> None:
        self.events.extend(new)
        self.ended = self.ended or any(isinstance(event, Ended) for _, event in new)
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def past(self, after: int) -> list[Numbered] | None:
        """Return the events past `after`, null when the oldest kept one is already later."""
        if not self.events or self.events[0][0] > after + 1:
            return None
        skip = after + 1 - self.events[0][0]
        return [self.events[place] for place in range(skip, len(self.events))]


class Feed:
    """The event logs of all runs: one object for the life of the process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._live: dict[str, _Live] = {}
        self._stalled: dict[str, EunoeError] = {}
        # Kept alive by the readers that wait.
        self._elsewhere: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self._look_s = _POLL_S
        self._closed = False

    def grown(self, run_id: str) -> None:
        """Have readers look at the log of a run that goes on in another process."""
        live = self._live.get(run_id)
        if live is not None and not live.owned:
            self.forget(run_id)
        if (news := self._elsewhere.pop(run_id, None)) is not None:
            news.set()

    def listening(self, listens: bool) -> None:
        """Take note whether `grown` is called by itself; whoever waits looks for what it missed."""
        self._look_s = _LOOK_S if listens else _POLL_S
        for run_id in [*self._live, *self._elsewhere]:
            self.grown(run_id)

    def close(self) -> None:
        """End every reading with `ServerStopping`: the runs go on, in other processes."""
        self._closed = True
        for live in self._live.values():
            live.changed.set()
        for news in self._elsewhere.values():
            news.set()

    @asynccontextmanager
    async def opening(self, run: Run) -> AsyncGenerator[None]:
        """Keep the events of a run in memory from its start on, which the block commits.

        Another process may have carried it out before the commit is known here: what it told
        meanwhile found the run open, so that no reader waits for what has been told already.
        """
        self._live.setdefault(run.id, _Live()).publish([_started(run)])
        try:
            yield
        except BaseException:
            self.forget(run.id)
            raise

    def recorder(self, run: Run, actor: Actor, *, last_seq: int) -> "Recorder":
        self._stalled.pop(run.id, None)
        live = self._live.setdefault(run.id, _Live())
        live.owned = True
        return Recorder(self, self._db, actor, run, live, last_seq=last_seq)

    def forget(self, run_id: str) -> None:
        """Drop the run from memory; readers that wait are woken and go on with the log."""
        live = self._live.pop(run_id, None)
        if live is not None:
            live.changed.set()

    def stall(self, run_id: str, why: EunoeError) -> None:
        """Let readers of the run fail with `why` until somebody goes on with it."""
        self._stalled[run_id] = why
        self.forget(run_id)

    async def read(self, actor: Actor, run_id: str, *, after: int = 0) -> AsyncGenerator[Numbered]:
        """Yield (place, event) past `after`, and end after `Ended`.

        Raises `RunExpired` when the run has ended and its log is gone, `ServerStopping`, and what
        keeps the run from going on where that will not pass by itself.
        """
        seen: _Live | None = None
        while True:
            if self._closed:
                raise ServerStopping(run_id=run_id)
            # A run that has ended is dropped at once, and its readers still have what it said.
            ended = seen if seen is not None and seen.ended else None
            live = seen = self._live.get(run_id, ended)
            batch = live.past(after) if live is not None else None
            if batch is None:
                batch = await self._stored(actor, run_id, after)
            for seq, event in batch:
                yield seq, event
                after = seq
                if isinstance(event, Ended):
                    return
            if not batch and (rest := await self._rest(actor, run_id, after=after)) is not None:
                for numbered in rest:
                    yield numbered
                return

    async def _stored(self, actor: Actor, run_id: str, after: int) -> list[Numbered]:
        async with self._db.read(actor) as tx:
            stored = await events.read(tx, run_id, after=after, limit=_BATCH)
            if after > 0 or not stored:
                return stored
            run = await runs.get(tx, run_id)
        return [] if run is None else [_started(run), *stored]

    async def _rest(self, actor: Actor, run_id: str, *, after: int) -> list[Numbered] | None:
        """Wait for more; return null when there may be, else how the stream closes (G-8).

        A reader past the end of a finished run gets the terminator alone (G-4). Raises
        `RunExpired` when the run's log is gone, or it never was.
        """
        live = self._live.get(run_id)
        if live is not None:
            if live.last <= after:
                await self._news(run_id, live)
            return None
        if (why := self._stalled.get(run_id)) is not None:
            raise why
        # Asked for before one looks, so that no notice falls between the two.
        news = self._elsewhere.setdefault(run_id, asyncio.Event())
        async with self._db.read(actor) as tx:
            run = await runs.get(tx, run_id)
            last = await events.last_seq(tx, run_id)
        if run is None or (last == 0 and is_terminal(run.status)):
            if after:
                return _lost(run_id, after)
            raise RunExpired(run_id=run_id)
        if after < last:
            return None
        if is_terminal(run.status):
            return [(after + 1, Ended())]
        if self._closed:  # While one looked, before there was anybody to be woken.
            return None
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), self._look_s)
        return None

    async def _news(self, run_id: str, live: _Live) -> None:
        """Wait for more of a run; one that nobody here has begun may go on in another process."""
        if live.owned:
            await live.changed.wait()
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(live.changed.wait(), self._look_s)
        if not live.owned and self._live.get(run_id) is live:
            self.forget(run_id)


class Recorder:
    """Writes one run's events in order, for as long as this process owns the run."""

    def __init__(
        self, feed: Feed, db: Database, actor: Actor, run: Run, live: _Live, *, last_seq: int
    ) -> None:
        self._lock = asyncio.Lock()
        self._feed = feed
        self._db = db
        self._actor = actor
        self._run = run
        self._live = live
        self._last_seq = last_seq
        self._pending: list[RunEvent] = []
        self._flush: asyncio.Task[None] | None = None
        self._flushed_at = 0.0
        self._refused: EunoeError | UniqueViolated | None = None

    def emit(self, event: RunEvent) -> None:
        """Take an event towards the readers; it is durable and shown within the interval."""
        if self._pending and (merged := _merged(self._pending[-1], event)) is not None:
            self._pending[-1] = merged
        else:
            self._pending.append(event)
        if self._flush is None and self._refused is None:
            self._flush = asyncio.create_task(self._flush_soon())

    @asynccontextmanager
    async def writing(self, more: Sequence[RunEvent]) -> AsyncGenerator[list[Numbered]]:
        """Give what is pending, then `more`, with their places, to be written in the block.

        When the block ends they are durable and shown; when it raises they are pending
        again, all but `more`. The block may `add` to them. Raises what the database refused
        before: whether those events are stored is not known then, so nothing can follow them.
        """
        async with self._lock:
            if self._refused is not None:
                raise self._refused
            taken, self._pending = self._pending, []
            rows = list(enumerate([*taken, *more], self._last_seq + 1))
            try:
                yield rows
            except BaseException:
                self._pending = taken + self._pending
                raise
            if rows:
                self._last_seq = rows[-1][0]
                self._live.publish(rows)
            if self._live.ended:
                self._feed.forget(self._run.id)

    def add(self, rows: list[Numbered], more: Sequence[RunEvent]) -> None:
        """Put `more` behind the `rows` that are being written."""
        rows.extend(enumerate(more, self._last_seq + len(rows) + 1))

    async def close(self) -> None:
        """Stop writing; what is pending then was never shown."""
        if self._flush is not None:
            self._flush.cancel()
            await asyncio.wait([self._flush])

    async def _flush_soon(self) -> None:
        try:
            while self._pending:
                wait = self._flushed_at + INTERVAL_S - monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                self._flushed_at = monotonic()
                async with self.writing(()) as rows:
                    if rows:
                        await self._write(rows)
        except (EunoeError, UniqueViolated) as error:
            # The run learns of it at its next checkpoint.
            self._refused = error
            _log.warning("feed.flush_failed", run_id=self._run.id, error=type(error).__name__)
        finally:
            self._flush = None

    async def _write(self, rows: Sequence[Numbered]) -> None:
        async with self._db.write(self._actor) as tx:
            await runs.hold(tx, self._run)
            await events.append(tx, self._run.id, rows)


def _started(run: Run) -> Numbered:
    """Return a run's first event, which its row says already, so that no log has to."""
    ping_id = f"ping-{run.id.removeprefix('run-')}"
    return 1, Started(run_id=run.id, ping_id=ping_id, at=run.created_at.isoformat())


def _lost(run_id: str, after: int) -> list[Numbered]:
    """Return the end of a stream whose run was taken away while it was read (G-8)."""
    said: tuple[RunEvent, ...] = (
        Stopped(reason="error"),
        Used(usage=Usage(), step_count=0, context_tokens=None),
        Failed(
            run_id=run_id,
            error_type="stream_incomplete",
            code=RunExpired.code,
            message="The run was deleted while it was read; read the agent's messages instead.",
        ),
        Ended(),
    )
    return list(enumerate(said, after + 1))


def _merged(last: RunEvent, new: RunEvent) -> RunEvent | None:
    """Return two fragments of one part as one, null when they are not."""
    if not isinstance(last, Shown) or not isinstance(new, Shown):
        return None
    if last.view.otid != new.view.otid:
        return None
    match last.view.body, new.view.body:
        case Answered(text=head), Answered(text=tail):
            body = Answered(text=head + tail)
        case Thought(signature=None) as head, Thought() as tail:
            body = replace(tail, text=head.text + tail.text)
        case CallFragment() as head, CallFragment(name=None) as tail if (
            head.call_id == tail.call_id
        ):
            body = replace(head, arguments=(head.arguments or "") + (tail.arguments or ""))
        case _:
            return None
    return Shown(view=replace(last.view, body=body))
