"""Streams for programs that bring their own generator: the functions servers of this API shared.

`eunoe.http.seed` is where to import them from. The server's own streams are `http/sse`,
which differ where this layer is weak: they have numbers, pings, a stop reason and an
error event that the official clients raise.
"""

import json
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import asdict
from enum import Enum
from typing import Final, cast

import structlog
from pydantic import BaseModel

from eunoe import telemetry
from eunoe.domain.events import Used
from eunoe.domain.messages import Json
from eunoe.domain.models import ModelConfig
from eunoe.errors import ContextOverflow, EunoeError, ModelRateLimited, SystemPromptTooLarge
from eunoe.telemetry.switch import Attribute
from eunoe.wire.stream import usage

SSE_PREFIX: Final = "data: "
SSE_SUFFIX: Final = "\n\n"
SSE_FINISH_MSG: Final = "[DONE]"
SSE_ARTIFICIAL_DELAY: Final = 0.1
"""Seconds; nothing waits for it."""
SENTRY_ENABLED: Final = telemetry.adopt_reports(dsn=os.environ.get("SENTRY_DSN"))
"""Whether errors are reported, decided here and now (S1)."""

_BROKEN: Final[Json] = {"error": "Stream failed (decoder encountered an error)"}
_INTERNAL: Final[Json] = {"error": "Stream failed (internal error occurred)"}
_CODES: Final[tuple[tuple[type[EunoeError], str], ...]] = (
    (ContextOverflow, "CONTEXT_WINDOW_EXCEEDED"),
    (SystemPromptTooLarge, "CONTEXT_WINDOW_EXCEEDED"),
    (ModelRateLimited, "RATE_LIMIT_EXCEEDED"),
)
_NS_PER_MS: Final = 1_000_000

_log = structlog.get_logger("eunoe.seed")


def sse_formatter(data: Json | str) -> str:
    """Return one frame: a dict as compact ASCII JSON, a str as it is (S3 to S6).

    Raises `AssertionError` for anything else, subclasses included.
    """
    if type(data) not in (dict, str):
        raise AssertionError(f"a frame holds a dict or a str, not {type(data).__name__}")
    body = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return f"{SSE_PREFIX}{body}{SSE_SUFFIX}"


def capture_sentry_exception(e: BaseException) -> None:
    """Report an error that a stream hides: its status is 200 already (S26)."""
    if SENTRY_ENABLED:
        telemetry.report(e)


async def sse_async_generator(
    generator: AsyncGenerator[object],
    usage_task: Awaitable[object] | None = None,
    finish_message: bool = True,
    request_start_timestamp_ns: int | None = None,
    llm_config: ModelConfig | BaseModel | None = None,
) -> AsyncGenerator[str]:
    """Yield the frames of `generator`, of what `usage_task` comes to, and the end (S7 to S25).

    Failures become a frame and are never raised. Nothing is yielded once the consumer
    has closed the stream, and the wait for the first frame is recorded however it ends
    (FIX-12).
    """
    wait = _Wait(request_start_timestamp_ns, llm_config)
    left = False
    try:
        async with aclosing(_told(generator, wait)) as frames:
            async for frame in frames:
                yield frame
        if usage_task is not None and wait.whole:
            yield await _usage_frame(usage_task)
    except GeneratorExit:
        left = True
        raise
    finally:
        wait.end()
        if finish_message and not left:
            yield sse_formatter(SSE_FINISH_MSG)


class _Wait:
    """The wait for the first chunk; `whole` is true once the last one has come."""

    def __init__(self, started_ns: int | None, config: ModelConfig | BaseModel | None) -> None:
        self._started_ns = started_ns
        self._config = _fields(config)
        self.whole = False

    def first(self) -> None:
        """Record the time to the first chunk, once (S10, S11)."""
        if self._started_ns is None:
            return
        model = self._config.get("model")
        telemetry.record_ttft_ms(
            (time.time_ns() - self._started_ns) // _NS_PER_MS,
            model=None if model is None else str(model),
            config=self._config,
            started_ns=self._started_ns,
        )
        self._started_ns = None

    def end(self) -> None:
        """Record a wait that nothing came of (S12)."""
        if self._started_ns is not None:
            telemetry.record_no_token(started_ns=self._started_ns, config=self._config)
            self._started_ns = None


def _fields(config: ModelConfig | BaseModel | None) -> Mapping[str, Attribute]:
    """Return the fields of a config that have a value, as a span takes them (S8, S9)."""
    if config is None:
        return {}
    found = config.model_dump() if isinstance(config, BaseModel) else asdict(config)
    return {
        name: value if isinstance(value, str | bool | int | float) else str(value)
        for name, value in found.items()
        if value is not None
    }


async def _told(generator: AsyncGenerator[object], wait: _Wait) -> AsyncGenerator[str]:
    """Yield a frame of each chunk, and one of the failure that cuts them off (S13 to S15, S22)."""
    try:
        async with aclosing(generator) as chunks:
            async for chunk in chunks:
                wait.first()
                yield sse_formatter(_body(chunk))
        wait.whole = True
    except Exception as error:  # noqa: BLE001 -- whatever it is, the reader gets a frame
        capture_sentry_exception(error)
        _log.exception("stream.broken", error=type(error).__name__)
        yield sse_formatter(_BROKEN)


def _body(chunk: object) -> Json | str:
    match chunk:
        case BaseModel():
            return chunk.model_dump()
        case Enum():
            return str(chunk.value)
        case dict():
            return cast("Json", chunk)
        case _:
            return str(chunk)


async def _usage_frame(usage_task: Awaitable[object]) -> str:
    """Return the frame of what the task comes to (S16 to S21)."""
    try:
        used = await usage_task
        if not isinstance(used, Used):
            text = f"the usage task gave a {type(used).__name__}"
            raise TypeError(text)  # noqa: TRY301 - it is handled as any other failure of the task
        return sse_formatter({**usage(used)})
    except Exception as error:  # noqa: BLE001 -- whatever it is, the reader gets a frame
        capture_sentry_exception(error)
        _log.exception("stream.no_usage", error=type(error).__name__)
        return sse_formatter(_failure(error))


def _failure(error: Exception) -> Json:
    for cause, code in _CODES:
        if isinstance(error, cause):
            return {"error": f"Stream failed: {error}", "code": code}
    return _INTERNAL
