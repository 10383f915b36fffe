"""`eunoe worker`: carry out what servers on the same PostgreSQL take in; it serves no requests."""

import asyncio
import signal

from rich.console import Console

from eunoe import settings
from eunoe.app import VERSION, open_runtime
from eunoe.cli import models
from eunoe.cli.failure import MISUSED, CommandFailed
from eunoe.cli.stopping import draining_first
from eunoe.settings import Settings


def work() -> int:
    """Work until told to stop. Raises `CommandFailed` on SQLite."""
    configured = settings.load()
    if configured.is_sqlite:
        sentence = (
            "A worker shares its database with servers, and SQLite is one process's own; "
            "set EUNOE_DATABASE_URL=postgresql://… (on SQLite the server does all the work itself)."
        )
        raise CommandFailed(sentence, code=MISUSED)
    console = Console(highlight=False)
    models.ensure(configured, console)
    return asyncio.run(_work(configured, console))


async def _work(configured: Settings, console: Console) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    async with open_runtime(configured, functions={}) as runtime:
        with draining_first(runtime.runner):
            console.print(f"Eunoe {VERSION} works on {configured.database_label}; Ctrl-C stops it.")
            await stop.wait()
    return 0
