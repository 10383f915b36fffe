"""Noticing from the database that a run of this process is to stop, or is not its own any more.

Who asked may have done so in another process, which says so; an agent may have been deleted,
or a run been taken over while this process slept. Only rows of runs that go on here are
looked at, so an idle server asks nothing.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog

from eunoe.engine.cancellation import Cancellation
from eunoe.errors import EunoeError
from eunoe.store import runs
from eunoe.store.db import Actor, Database

_EVERY_S: Final = 1.0

_log = structlog.get_logger("eunoe.watch")


async def watch(db: Database, running: Mapping[str, Cancellation], asked: asyncio.Event) -> None:
    """Stop what goes on here and should not, within a second or so (G-11, G-13); never returns.

    It looks at once where `asked` is set, which it clears.
    A run that is not ours any more finds that out itself, at the commit that it comes to.
    """
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), _EVERY_S)
        asked.clear()
        held = {run_id: one.fence for run_id, one in running.items() if one.fence}
        if not held:
            continue
        try:
            async with db.read(Actor()) as tx:
                wanted = await runs.to_go_on(tx, list(held))
        except EunoeError as error:
            _log.warning("watch.failed", code=error.code)
            continue
        for run_id, fence in held.items():
            going = running.get(run_id)
            if going is not None and going.fence == fence and wanted.get(run_id) != fence:
                going.request()
