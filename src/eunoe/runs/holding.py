"""The runs that a process on PostgreSQL owns without having been given them by the job engine."""

import asyncio
from collections.abc import Collection
from typing import Final
from uuid import uuid4

import structlog

from eunoe.errors import EunoeError
from eunoe.store import queue
from eunoe.store.db import Actor, Database

_log = structlog.get_logger("eunoe.holding")


class Holding:
    """Runs of one kind that are held by whoever accepted them.

    Most of them end before anybody needs to know. Those that last are shown to the job engine as
    jobs that are picked already, with a heartbeat, so that they are taken over like any other
    from a process that dies or hangs.
    """

    def __init__(self, db: Database, kind: str) -> None:
        self._db = db
        self._kind: Final = kind
        self._holder: Final = str(uuid4())
        self._names: set[str] = set()
        self._shown: set[str] = set()
        self._turn = asyncio.Lock()

    def begin(self, name: str) -> None:
        self._names.add(name)

    def end(self, name: str) -> None:
        """Hold it no more; who still sees a job of it finds that there is nothing to do."""
        self._names.discard(name)

    async def show_on(self, every_s: float) -> None:
        """Say every so often what is held here still; never returns. PostgreSQL only."""
        while True:
            await asyncio.sleep(every_s)
            await self._tell(held=True)

    async def give_up(self, names: Collection[str]) -> None:
        """Hold these no more, so that they can be queued at once."""
        self._names.difference_update(names)
        await self._tell(held=False)

    async def _tell(self, *, held: bool) -> None:
        """Take back what was shown and has ended, and show what is `held`; one at a time."""
        async with self._turn:
            gone = self._shown - self._names
            shown = set(self._names) if held else set[str]()
            if not gone and not shown:
                return
            try:
                async with self._db.write(Actor()) as tx:
                    if gone:
                        await queue.let_go(tx, gone, holder=self._holder)
                    if shown:
                        await queue.hold(tx, self._kind, shown, holder=self._holder)
                self._shown = (self._shown - gone) | shown
            except EunoeError as error:
                _log.warning("holding.not_shown", code=error.code)
