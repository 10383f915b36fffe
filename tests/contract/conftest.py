"""One server process an engine, and both official Python clients, for every test of the contract.

The server is shared, so a test makes its own agents and asks for nothing that others made.
"""

import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import anyio
import httpx
import pytest
from letta_client import Letta
from letta_client.types import AgentState

from eunoe.store.postgresql_connection import session
from tests.contract.blocking import blocking
from tests.contract.rubbish import rubbish_provider
from tests.fixtures.databases import Server as PostgresqlServer
from tests.fixtures.servers import Server, model_server, serving

MODEL: Final = "openai/scripted-1"
EMBEDDING: Final = "openai/text-embedding-3-small"
PATIENCE_S: Final = 90

MakeAgent: TypeAlias = Callable[..., AgentState]


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    with model_server() as url:
        yield url


@pytest.fixture(scope="session")
def rubbish_url() -> Iterator[str]:
    with rubbish_provider() as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def served_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The URL of a database without a schema: the server's own start brings it up to date."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('served') / 'eunoe.db'}"
    engine: PostgresqlServer = request.getfixturevalue("postgresql_server")
    name = f"served_{uuid.uuid4().hex}"
    anyio.run(_create_database, engine.get_uri(), name)
    return engine.get_uri(name)


async def _create_database(url: str, name: str) -> None:
    async with session(url) as connection:
        await connection.execute(f"CREATE DATABASE {name}")


@pytest.fixture(scope="session")
def server(
    served_database: str, model_url: str, rubbish_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("server")
    with serving(
        served_database,
        folder=folder,
        OPENAI_API_KEY="key-of-the-scripted-model",
        OPENAI_BASE_URL=model_url,
        VLLM_API_BASE=rubbish_url,
        EUNOE_DEFAULT_MODEL=MODEL,
        EUNOE_DEFAULT_EMBEDDING=EMBEDDING,
    ) as running:
        yield running


@pytest.fixture(scope="session", params=["sync", "async"])
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[Letta]:
    """Either official client, strict about every field it knows, as its users call it."""
    with _client(request.param, server.url, strict=True) as one:
        yield one


@pytest.fixture(scope="session")
def letta(server: Server) -> Iterator[Letta]:
    """The blocking client alone, for what does not depend on the client."""
    with _client("sync", server.url, strict=True) as one:
        yield one


def _client(kind: Literal["sync", "async"], url: str, *, strict: bool) -> Any:
    options: dict[str, Any] = {
        "base_url": url,
        "api_key": "any",
        "timeout": PATIENCE_S,
        "max_retries": 0,
        "_strict_response_validation": strict,
    }
    return Letta(**options) if kind == "sync" else blocking(**options)


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    """Plain HTTP, for what no method of the clients says."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S, follow_redirects=True) as one:
        yield one


@pytest.fixture
def make_agent(letta: Letta) -> MakeAgent:
    """Make an agent of its own for a test."""

    def make(**fields: Any) -> AgentState:
        return letta.agents.create(**fields)

    return make


@pytest.fixture
def agent(make_agent: MakeAgent) -> AgentState:
    return make_agent(memory_blocks=[{"label": "human", "value": "Name: Ada"}])


@pytest.fixture
def tag() -> str:
    """A word that no other test uses."""
    return f"t{uuid.uuid4().hex}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the server wrote beside a test that failed."""
    report = yield
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    running = fixtures.get("server")
    if report.failed and isinstance(running, Server):
        report.sections.append((f"the server at {running.url}", "\n".join(running.lines[-60:])))
    return report
