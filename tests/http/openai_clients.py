"""OpenAI's own Python clients, as their users have them but for the retries, on a real socket."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import pytest
import uvicorn
from anyio import to_thread
from fastapi import FastAPI
from openai import AsyncOpenAI, OpenAI

T = TypeVar("T")


@pytest.fixture
async def address(app: FastAPI) -> AsyncGenerator[str]:
    """Serve the application on loopback, in this event loop."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def openai(address: str) -> AsyncGenerator[AsyncOpenAI]:
    client = AsyncOpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
    async with client:
        yield client


async def blocking(address: str, ask: Callable[[OpenAI], T]) -> T:
    """Ask with the client that blocks, in a thread."""

    def asked() -> T:
        with OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:
            return ask(client)

    return await to_thread.run_sync(asked)
