"""Keeping what is exchanged with a model's provider, where the operator wants it (streaming 5.5).

The request is what the adapter says it sends for it, without address, headers and keys; the
response is the reply as it was put together. So both are the same for every adapter.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic_ns
from typing import Final, cast

import orjson
import structlog

from eunoe.domain.events import ModelEvent
from eunoe.domain.messages import Json
from eunoe.domain.provider_traces import Exchange
from eunoe.domain.runs import Step
from eunoe.engine.ports import Model, ModelRequest, Previewed
from eunoe.engine.reply import Reply
from eunoe.store import budgets, provider_traces, steps
from eunoe.store.db import Tx
from eunoe.telemetry.redaction import Blot, redacted

MOST_BYTES: Final = 1024 * 1024
"""Of each side, before it is compressed."""

_log = structlog.get_logger("eunoe.worker")


@dataclass(slots=True)
class Traced:
    """A model whose last answered call is kept in `exchange`, until it is stored."""

    model: Model
    blot: Blot
    exchange: Exchange | None = None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self.exchange = None
        began, said = monotonic_ns(), list[ModelEvent]()
        asked = asyncio.create_task(self._asked(request))
        try:
            async with aclosing(self.model.stream(request)) as events:
                async for event in events:
                    said.append(event)
                    yield event
            latency_ms = (monotonic_ns() - began) // 1_000_000
            sent = await asked
            # Compressing takes long enough to hold other runs up.
            self.exchange = await asyncio.to_thread(
                _exchange, sent, said, blot=self.blot, latency_ms=latency_ms
            )
        finally:
            asked.cancel()

    async def _asked(self, request: ModelRequest) -> Json:
        try:
            if isinstance(self.model, Previewed):
                return await self.model.preview(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on (G-23)
            _log.warning("trace.failed", error=type(error).__qualname__)
        return {"note": "What was sent is not known."}


def tracing(secrets: Sequence[str]) -> Callable[[Model], Traced]:
    """Return what has a model's calls kept, none of these secrets in them."""
    blot = Blot(secrets)
    return lambda model: Traced(model, blot)


async def store(tx: Tx, step: Step, traced: Traced | None, *, again: bool = False) -> bool:
    """Store a step, and what was exchanged for it where that is kept.

    Returns whether a budget is spent with it, which is not told `again`.
    """
    bounded = await steps.insert(tx, step)
    if traced is not None and traced.exchange is not None:
        await provider_traces.insert(tx, step, traced.exchange)
        traced.exchange = None  # A step that acts is stored once more.
    if again or not bounded:
        return False
    cost = step.usage.cost_nanos or 0
    return await budgets.charge(tx, step.agent_id, cost, now=datetime.now(UTC))


def _exchange(
    sent: Json, said: Sequence[ModelEvent], *, blot: Blot, latency_ms: int
) -> Exchange | None:
    try:
        request, response = _written(sent, blot), _written(_reply(said), blot)
        return Exchange(
            request=zlib.compress(request),
            response=zlib.compress(response),
            size=len(request) + len(response),
            latency_ms=latency_ms,
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on (G-23)
        _log.warning("trace.failed", error=type(error).__qualname__)
        return None


def _reply(said: Sequence[ModelEvent]) -> Json:
    reply = Reply()
    for event in said:
        reply.take(event)
    message = reply.message(message_id="", agent_id="", model="", at=datetime.now(UTC))
    return {
        "content": message.content if message else (),
        "tool_calls": reply.calls,
        "usage": reply.usage,
        "finish_reason": reply.finish,
    }


def _written(side: Json, blot: Blot) -> bytes:
    """Return one side as JSON without secrets; of one too long its first half bound, with a note.

    Within JSON each character takes two at most, so that what is cut keeps the bound too.
    """
    plain = orjson.loads(orjson.dumps(side))
    text = orjson.dumps(_blotted(redacted("", plain, content=True), blot))
    if len(text) <= MOST_BYTES:
        return text
    start = text[: MOST_BYTES // 2 - 100].decode(errors="ignore")
    return orjson.dumps({"note": f"Cut: it has {len(text)} bytes.", "start": start})


def _blotted(value: object, blot: Blot) -> object:
    if isinstance(value, str):
        return blot(value)
    if isinstance(value, dict):
        inner = cast("dict[str, object]", value)
        return {name: _blotted(item, blot) for name, item in inner.items()}
    if isinstance(value, list):
        return [_blotted(item, blot) for item in cast("list[object]", value)]
    return value
