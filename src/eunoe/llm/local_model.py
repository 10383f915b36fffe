"""A model that runs on this machine, as a `Model` like any other."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from eunoe.domain.events import Finished, ModelEvent, TextDelta
from eunoe.domain.messages import Json
from eunoe.engine.ports import ModelRequest
from eunoe.errors import ModelReplyCut, ModelUnreachable
from eunoe.llm.chat import ChatModel, written
from eunoe.llm.connection import Client, Timeouts, client
from eunoe.llm.faults import Origin
from eunoe.llm.local_catalog import PROVIDER
from eunoe.llm.local_process import LocalServer, Running
from eunoe.llm.local_reply import ReplyReader
from eunoe.llm.local_tools import constrained
from eunoe.llm.retries import Retries

_TIMEOUTS: Final = Timeouts(silence_s=600.0, total_s=1_800.0)
"""A small machine reads a long prompt for minutes, and requests wait for each other."""

_TEMPERATURE: Final = 0.0
"""Chance only makes a small model choose worse; an agent's own setting wins."""

_MOST_OUTPUT_TOKENS: Final = 1_024
_ONCE: Final = Retries(most=0)


class LocalModel:
    """Speaks to one local server, started when first needed and again when it died.

    Tools are told in the prompt and held to by a schema (`local_tools`), since
    these models call none by themselves.
    """

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self._running: Running | None = None
        self._client: Client | None = None

    async def preview(self, request: ModelRequest) -> Json:
        """Return the body that would be sent, whether the process runs or not."""
        return written(_asked(request), base_url="")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        wants_tools, asked = _wants_tools(request), _asked(request)
        async with aclosing(self._asked(asked)) as events:
            if not wants_tools:
                async for event in events:
                    yield event
                return
            async with aclosing(_read(events)) as read:
                async for event in read:
                    yield event

    async def _asked(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Ask the process; one that died is started again, once, before the first event."""
        begun = False
        try:
            async with aclosing((await self._chat()).stream(request)) as events:
                async for event in events:
                    begun = True
                    yield event
                return
        except (ModelUnreachable, ModelReplyCut):
            if begun or not await self._server.has_died():
                raise
        async with aclosing((await self._chat()).stream(request)) as events:
            async for event in events:
                yield event

    async def _chat(self) -> ChatModel:
        running = await self._server.ready()
        if self._client is None or running != self._running:
            await self.aclose()
            self._running = running
            self._client = client(
                base_url=running.base_url,
                # llama.cpp closes a connection after a stream without having said so, and
                # a request that is already on its way would be lost.
                headers={"authorization": f"Bearer {running.key}", "connection": "close"},
                params={},
                timeouts=_TIMEOUTS,
            )
        origin = Origin(name=PROVIDER, secrets=(running.key,))
        return ChatModel(client=self._client, origin=origin, timeouts=_TIMEOUTS, retries=_ONCE)

    async def aclose(self) -> None:
        """Close the connections; the process is its owner's."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _wants_tools(request: ModelRequest) -> bool:
    return bool(request.tools) and request.choice.mode != "none"


def _asked(request: ModelRequest) -> ModelRequest:
    """Return the request as the process gets it, which knows of no tools."""
    bounded = _bounded(request)
    return constrained(bounded) if _wants_tools(request) else replace(bounded, tools=())


def _bounded(request: ModelRequest) -> ModelRequest:
    """Return `request` with what keeps a small model on its path where the agent says nothing."""
    config = request.config
    temperature = _TEMPERATURE if config.temperature is None else config.temperature
    config = replace(
        config,
        temperature=temperature,
        max_output_tokens=config.max_output_tokens or _MOST_OUTPUT_TOKENS,
    )
    return replace(request, config=config)


async def _read(events: AsyncGenerator[ModelEvent]) -> AsyncGenerator[ModelEvent]:
    """Turn the text of a constrained reply into text and calls; pass the rest on."""
    reader = ReplyReader(call_id=f"call_{uuid.uuid4().hex[:24]}")
    async for event in events:
        match event:
            case TextDelta(text=text):
                for read in reader.feed(text):
                    yield read
            case Finished(reason="stop") if not reader.whole:
                raise ModelReplyCut("The local model stopped in the middle of its reply.")
            case Finished(reason="stop") if reader.called:
                yield Finished(reason="tool_calls")
            case _:
                yield event
