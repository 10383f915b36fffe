"""What every test shares; fixtures of a layer stand in the conftest of that layer's tests."""

import pytest

pytest_plugins = ["tests.fixtures.databases", "tests.fixtures.apis"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio, the event loop that the server runs on."""
    return "asyncio"
