"""The whole HTTP application over a real database, runner and model server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from letta_client import AsyncLetta

from eunoe.http.api import build_api
from eunoe.http.deps import Runtime
from eunoe.runs.mcp_calls import McpCalls
from eunoe.service.images import ImageFetcher
from eunoe.tools.mcp_sessions import McpSessions
from tests.runs.conftest import World, world

__all__ = ["world"]


@pytest.fixture
async def app(world: World) -> AsyncGenerator[FastAPI]:
    @asynccontextmanager
    async def open_runtime() -> AsyncGenerator[Runtime]:
        images = ImageFetcher()
        yield Runtime(
            db=world.db,
            registry=world.registry,
            brought=world.brought,
            runner=world.runner,
            images=images,
            mcp=McpCalls(db=world.db, sessions=McpSessions()),
            version="9.9",
            default_model="openai/scripted-1",
        )
        await images.close()

    api = build_api(open_runtime, version="9.9")
    async with api.router.lifespan_context(api):
        yield api


@pytest.fixture
async def http(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://server", follow_redirects=True, timeout=30
    ) as client:
        yield client


@pytest.fixture
async def letta(http: httpx.AsyncClient) -> AsyncLetta:
    """The official client, as its users have it but for the retries."""
    return AsyncLetta(base_url="http://server", http_client=http, max_retries=0, api_key="any")


@pytest.fixture
async def strict(http: httpx.AsyncClient) -> AsyncLetta:
    """The official client, which fails on any answer that is not of the declared type."""
    return AsyncLetta(
        base_url="http://server",
        http_client=http,
        max_retries=0,
        api_key="any",
        _strict_response_validation=True,
    )
