"""What a server takes up before it does anything, and what one message asks of the database."""

import contextlib
from collections.abc import AsyncGenerator
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from bench.conversing import conversing, say
from bench.processes import Process
from bench.rows import Row
from eunoe.store.db import Actor, Database, Tx

_LOCK = Path(__file__).parents[1] / "locks" / "server.txt"


async def idle(server: Process) -> list[Row]:
    return [Row("idle memory (no local model loaded)", server.memory_mib, "MiB", "≤ 150", "≤ 100")]


def installed() -> list[Row]:
    """Return how much the packages of the server take up, without extras and without byte-code."""
    names = [
        line.split("==")[0].split("[")[0]
        for line in _LOCK.read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    ]
    size, count = 0, 0
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            files = metadata.files(name) or []
            count += 1
            size += sum(
                Path(str(f.locate())).stat().st_size
                for f in files
                if f.suffix != ".pyc" and Path(str(f.locate())).is_file()
            )
    return [
        Row("installed size without the extras", size / 2**20, "MiB", "≤ 250", "≤ 150"),
        Row("packages without the extras", count, "", "≤ 90", ""),
    ]


class Counting:
    """A database that counts the statements of its transactions, and is the given one else."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def write(self, actor: Actor) -> contextlib.AbstractAsyncContextManager[Tx]:
        return self._counted(self._db.write(actor))

    def read(
        self, actor: Actor, *, long: bool = False
    ) -> contextlib.AbstractAsyncContextManager[Tx]:
        return self._counted(self._db.read(actor, long=long))

    @contextlib.asynccontextmanager
    async def _counted(
        self, opened: contextlib.AbstractAsyncContextManager[Tx]
    ) -> AsyncGenerator[Tx]:
        async with opened as tx:
            yield tx
            self.statements += tx.statements


async def statements(engine: str) -> list[Row]:
    """Count the SQL statements of a one-step message, in this process."""
    counting: list[Counting] = []

    def watched(db: Database) -> Database:
        counting.append(Counting(db))
        return cast("Database", counting[0])

    before = 0
    async with conversing(engine, watched=watched) as (_, runner, agent_id):
        for _ in range(3):
            before = counting[0].statements
            await say(runner, agent_id, "hi")
        asked = counting[0].statements - before
    return [Row("SQL statements per one-step message", asked, "", "≤ 20", "≤ 12")]
