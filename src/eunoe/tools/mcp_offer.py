"""Eunoe as an MCP server: the deeds that it offers to foreign agents and editors.

The SDK is imported with the first request. A session keeps nothing here, so that any process
answers any request.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from eunoe.domain.messages import Json

KEY_ID: Final = "eunoe.mcp.key_id"
"""Where a request's scope has the id of the key that it came with, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who wants something: the user with this id, the default one if null."""

    user_id: str | None = None
    key_id: str | None = None


Do: TypeAlias = Callable[[Asker, Json], Awaitable[Json | str]]
"""Does a deed for whoever asks; raises `EunoeError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that can be done here: what is told of it, and what does it."""

    name: str
    description: str
    parameters: Json
    do: Do
    read_only: bool = False


class Serving(Protocol):
    """Answers requests while it is kept running."""

    async def answer(self, scope: object, receive: object, send: object) -> None: ...

    async def run(self, started: asyncio.Event) -> None: ...


class McpOffer:
    """The endpoint of the deeds, an ASGI application that is made when it is first asked."""

    def __init__(self, deeds: Sequence[Deed], *, version: str) -> None:
        self._deeds = tuple(deeds)
        self._version = version
        self._starting = asyncio.Lock()
        self._serving: Serving | None = None
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        await (await self._served()).answer(scope, receive, send)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _served(self) -> Serving:
        async with self._starting:
            if self._serving is None:
                module = await asyncio.to_thread(importlib.import_module, "eunoe.tools.mcp_serving")
                serving: Serving = module.Serving(self._deeds, version=self._version)
                started = asyncio.Event()
                self._task = asyncio.create_task(serving.run(started), name="mcp endpoint")
                await started.wait()
                self._serving = serving
            return self._serving
