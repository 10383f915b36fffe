"""A scripted model that takes its time, and servers that live beside it."""

import signal
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from eunoe.testing.model_server import ServerOptions, scripted_model_server
from tests.crash.nursery import Start
from tests.crash.servers import Nursery, Servers, nursery


@pytest.fixture(scope="session")
def forking() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


@pytest.fixture
async def servers(forking: Nursery, database_url: str, tmp_path: Path) -> AsyncGenerator[Servers]:
    slow = ServerOptions(first_token_s=0.03, interval_s=0.003)
    async with scripted_model_server(slow) as model_url:
        wanted = Start(url=database_url, folder=str(tmp_path), model_url=model_url, point="-")
        running = Servers(forking, wanted)
        yield running
        await running.signal(signal.SIGKILL)
