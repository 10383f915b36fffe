"""Two servers on one PostgreSQL, for all tests of a module; and what is asked of each."""

import os
import signal
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import pytest

from eunoe.domain.messages import Json
from eunoe.store.postgresql_connection import session
from tests.fixtures.databases import Server as Postgresql
from tests.fixtures.servers import Server, model_server, serving

PATIENCE_S: Final = 60
DONE: Final = b"data: [DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A server process and a client of it."""

    server: Server
    client: httpx.AsyncClient

    @contextmanager
    def paused(self) -> Generator[None]:
        """Let it be as one whose machine hangs, for the block."""
        os.kill(self.server.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.server.process.pid, signal.SIGCONT)

    async def got(self, path: str, **params: Any) -> Any:
        reply = await self.client.get(path, params=params or None)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def made(self, path: str, body: Json) -> Json:
        reply = await self.client.post(path, json=body)
        assert reply.status_code in {200, 201}, reply.text
        made: Json = reply.json()
        return made

    async def agent(self) -> str:
        body: Json = {"model": "openai/scripted-1", "include_base_tools": False}
        agent_id: str = (await self.made("/v1/agents/", body))["id"]
        return agent_id

    async def begun(self, agent_id: str, text: str, *, background: bool = True) -> str:
        """Send a message; return its run once the model has spoken.

        In the background it belongs to whoever takes it first, else to this process.
        """
        path, body = f"/v1/agents/{agent_id}/messages/stream", {"input": text}
        more = {"background": background, "stream_tokens": True}
        async with self.client.stream("POST", path, json={**body, **more}) as reply:
            assert reply.status_code == 200
            async for frame, _ in frames(reply):
                if b"assistant_message" in frame:
                    break
        run_id: str = reply.headers["x-letta-run-id"]
        return run_id

    async def read(self, run_id: str, *, after: int = 0) -> list[tuple[bytes, float]]:
        """Return the frames of the run's stream and when each came."""
        path, body = f"/v1/runs/{run_id}/stream", {"starting_after": after}
        async with self.client.stream("POST", path, json=body) as reply:
            assert reply.status_code == 200
            return [one async for one in frames(reply)]

    async def until(self, path: str, true: Callable[[Any], bool]) -> Any:
        """Ask again and again until what is answered is as wanted."""
        asked_at = time.monotonic()
        while not true(found := await self.got(path)):
            assert time.monotonic() - asked_at < PATIENCE_S, found
        return found


async def frames(reply: httpx.Response) -> AsyncGenerator[tuple[bytes, float]]:
    buffer = b""
    async for data in reply.aiter_raw():
        *whole, buffer = (buffer + data).split(b"\n\n")
        for frame in whole:
            yield frame, time.monotonic()


def body_of(frame: bytes) -> Json:
    body: Json = orjson.loads(frame.partition(b"data: ")[2])
    return body


@asynccontextmanager
async def asking(server: Server) -> AsyncGenerator[Process]:
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=server.url, timeout=PATIENCE_S, limits=limits, trust_env=False
    ) as client:
        yield Process(server=server, client=client)


@pytest.fixture(scope="module")
def model_url() -> Generator[str]:
    with model_server("--models", "scripted-1") as url:
        yield url


@pytest.fixture(scope="module")
async def shared_url(
    postgresql_server: Postgresql, postgresql_template: str, anyio_backend: str
) -> AsyncGenerator[str]:
    """A database at this version, for all tests of a module."""
    name = f"shared_{uuid.uuid4().hex}"
    async with session(postgresql_server.get_uri()) as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
        yield postgresql_server.get_uri(name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def pair(
    shared_url: str, model_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Process, Process]]:
    folder: Path = tmp_path_factory.mktemp("pair")
    variables = {
        "OPENAI_API_KEY": "x",
        "OPENAI_BASE_URL": model_url,
        "EUNOE_SHUTDOWN_GRACE_S": "1",
        "EUNOE_CALLBACK_PRIVATE_HOSTS": "true",
    }
    program = "tests.processes.impatient"
    with (
        serving(shared_url, folder=folder, program=program, **variables) as one,
        serving(shared_url, folder=folder, program=program, **variables) as other,
    ):
        async with asking(one) as first, asking(other) as second:
            yield first, second
