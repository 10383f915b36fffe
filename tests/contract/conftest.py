"""One server process an engine, and both official Python clients, for every test of the contract.

The server is shared, so a test makes its own agents and asks for nothing that others made.
"""

import uuid
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
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
Kind: TypeAlias = Literal["sync", "async"]


@dataclass(slots=True, kw_only=True)
class Clients:
    """The clients of this session, one of each kind a server; `stack` closes them."""

    stack: ExitStack
    official: dict[tuple[Kind, str], Letta] = field(default_factory=dict[tuple[Kind, str], Letta])
    plain: dict[str, httpx.Client] = field(default_factory=dict[str, httpx.Client])

    def client(self, kind: Kind, url: str) -> Letta:
        if (kind, url) not in self.official:
            options: dict[str, Any] = {
                "base_url": url,
                "api_key": "any",
                "timeout": PATIENCE_S,
                "max_retries": 0,
                "_strict_response_validation": True,
            }
            made = Letta(**options) if kind == "sync" else blocking(**options)
            self.official[kind, url] = self.stack.enter_context(made)
        return self.official[kind, url]


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    with model_server() as url:
        yield url


@pytest.fixture(scope="session")
def rubbish_url() -> Iterator[str]:
    with rubbish_provider() as url:
        yield url


@pytest.fixture(scope="session")
def variables(model_url: str, rubbish_url: str) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "key-of-the-scripted-model",
        "OPENAI_BASE_URL": model_url,
        "VLLM_API_BASE": rubbish_url,
        "EUNOE_DEFAULT_MODEL": MODEL,
        "EUNOE_DEFAULT_EMBEDDING": EMBEDDING,
    }


@pytest.fixture(scope="session")
def on_sqlite(
    variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("on_sqlite")
    with serving(f"sqlite:///{folder / 'eunoe.db'}", folder=folder, **variables) as running:
        yield running


@pytest.fixture(scope="session")
def on_postgresql(
    variables: dict[str, str],
    postgresql_server: PostgresqlServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    # An earlier test of this worker may have left its event loop to others in this thread.
    with ThreadPoolExecutor(1) as thread:
        url = thread.submit(anyio.run, _created, postgresql_server).result()
    with serving(url, folder=tmp_path_factory.mktemp("on_postgresql"), **variables) as running:
        yield running


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """The server on either engine; it is started by the first test that wants it, and kept.

    A test that asks for either client runs on both, with a client of each kind: neither end of
    the wire knows which the other is, so that two pairs of the four show what each of them does.
    """
    return request.getfixturevalue(f"on_{request.param}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "client" in metafunc.fixturenames:
        pairs = [("sqlite", "sync"), ("postgresql", "async")]
        metafunc.parametrize(("server", "client"), pairs, indirect=True)
    elif "server" in metafunc.fixturenames:
        metafunc.parametrize("server", ["sqlite", "postgresql"], indirect=True)


async def _created(engine: PostgresqlServer) -> str:
    """Return the URL of a new database without a schema: the server's start brings that."""
    name = f"served_{uuid.uuid4().hex}"
    async with session(engine.get_uri()) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    return engine.get_uri(name)


@pytest.fixture(scope="session")
def clients() -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(stack=stack)


@pytest.fixture
def client(request: pytest.FixtureRequest, server: Server, clients: Clients) -> Letta:
    """Either official client, strict about every field it knows, as its users call it."""
    return clients.client(request.param, server.url)


@pytest.fixture
def letta(server: Server, clients: Clients) -> Letta:
    """The blocking client alone, for what does not depend on the client."""
    return clients.client("sync", server.url)


@pytest.fixture
def http(server: Server, clients: Clients) -> httpx.Client:
    """Plain HTTP, for what no method of the clients says."""
    if server.url not in clients.plain:
        plain = httpx.Client(base_url=server.url, timeout=PATIENCE_S, follow_redirects=True)
        clients.plain[server.url] = clients.stack.enter_context(plain)
    return clients.plain[server.url]


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
