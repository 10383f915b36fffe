"""A scripted model that takes its time, and servers that live beside it."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from eunoe.testing.http_server import serving
from eunoe.testing.model_server import ModelServer, ServerOptions
from tests.crash.gates import Gates
from tests.crash.nursery import Start
from tests.crash.servers import Nursery, Servers, nursery


@pytest.fixture(scope="session")
def forking() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


@pytest.fixture
async def servers(forking: Nursery, database_url: str, tmp_path: Path) -> AsyncGenerator[Servers]:
    model = ModelServer(ServerOptions(first_token_s=0.01, interval_s=0.003))
    async with Gates.kept() as gates, serving(gates.with_replies_held(model.answer)) as model_url:
        wanted = Start(
            url=database_url, folder=str(tmp_path), model_url=f"{model_url}/v1", gates=gates.port
        )
        running = Servers(forking, wanted, gates)
        yield running
        await running.close()
