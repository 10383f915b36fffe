"""A scripted model that takes its time, and servers that live beside it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from eunoe.testing.model_server import ServerOptions, scripted_model_server
from tests.crash.servers import Servers, nursery


@pytest.fixture
async def servers(database_url: str, tmp_path: Path) -> AsyncGenerator[Servers]:
    slow = ServerOptions(first_token_s=0.03, interval_s=0.003)
    async with (
        scripted_model_server(slow) as model_url,
        nursery(database_url, tmp_path, model_url=model_url) as running,
    ):
        yield running
