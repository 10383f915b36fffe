"""What every test shares; fixtures of a layer stand in the conftest of that layer's tests."""

import gc

import pytest
import structlog

# What is imported stays: a collector that looked through it again and again takes a third of the time.
gc.disable()

# What tests make fail is logged, and to draw each frame with all its values takes seconds.
*_first, _ = structlog.get_config()["processors"]
_plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*_first, _plain])

pytest_plugins = ["tests.fixtures.databases", "tests.fixtures.apis"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio, the event loop that the server runs on."""
    return "asyncio"


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()
