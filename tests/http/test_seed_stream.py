"""The shared stream functions: frames, failures, usage, and what is measured (agent S1 to S26)."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from enum import Enum, StrEnum
from typing import Any

import pytest
from pydantic import BaseModel

from eunoe import telemetry
from eunoe.domain.events import Used
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import Usage
from eunoe.errors import ContextOverflow, ModelRateLimited, SystemPromptTooLarge
from eunoe.http import seed_stream
from eunoe.http.seed import (
    SSE_ARTIFICIAL_DELAY,
    SSE_FINISH_MSG,
    SSE_PREFIX,
    SSE_SUFFIX,
    capture_sentry_exception,
    sse_async_generator,
    sse_formatter,
)
from tests.collecting import Collected
from tests.reporting import reports

pytestmark = pytest.mark.anyio

DONE = "data: [DONE]\n\n"
CONFIG = ModelConfig(
    handle="openai/gpt", model="gpt", provider_type="openai", provider_name="openai"
)
BROKEN = 'data: {"error":"Stream failed (decoder encountered an error)"}\n\n'
INTERNAL = 'data: {"error":"Stream failed (internal error occurred)"}\n\n'
USED = Used(
    usage=Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7),
    step_count=1,
    context_tokens=None,
)


@pytest.fixture
def collected() -> Iterator[Collected]:
    with Collected.here() as collected:
        yield collected


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """What a process reports in which there was a destination at import."""
    monkeypatch.setattr(seed_stream, "SENTRY_ENABLED", True)
    with reports() as found:
        yield found


async def said(*chunks: object, error: Exception | None = None) -> AsyncGenerator[object]:
    for chunk in chunks:
        yield chunk
    if error is not None:
        raise error


async def used(value: object = USED) -> object:
    if isinstance(value, Exception):
        raise value
    return value


async def frames(generator: AsyncGenerator[object], *args: Any, **more: Any) -> list[str]:
    return [one async for one in sse_async_generator(generator, *args, **more)]


class Model(BaseModel):
    text: str
    at: object = None


class Word(Enum):
    DONE = "[DONE]"


class Text(StrEnum):
    HI = "hi"


@pytest.mark.rule("S2")
async def test_the_constants() -> None:
    constants = (SSE_PREFIX, SSE_SUFFIX, SSE_FINISH_MSG, SSE_ARTIFICIAL_DELAY)
    assert constants == ("data: ", "\n\n", "[DONE]", 0.1)


@pytest.mark.rule("S4", "S5", "S6")
async def test_a_frame() -> None:
    assert sse_formatter({"b": 1, "a": ["é", None]}) == 'data: {"b":1,"a":["\\u00e9",null]}\n\n'
    assert sse_formatter("é x") == "data: é x\n\n"


@pytest.mark.rule("S3")
@pytest.mark.parametrize("data", [1, None, b"x", ["x"], Text.HI, type("Sub", (dict,), {})()])
async def test_a_frame_is_of_a_dict_or_a_str_alone(data: Any) -> None:
    with pytest.raises(AssertionError, match=type(data).__name__):
        sse_formatter(data)


@pytest.mark.rule("S7", "S13", "S14", "S15")
async def test_every_chunk_is_a_frame_in_order() -> None:
    chunks = (Model(text="é"), Word.DONE, {"a": 1}, "plain", 7, None)
    assert await frames(said(*chunks)) == [
        'data: {"text":"\\u00e9","at":null}\n\n',
        DONE,
        'data: {"a":1}\n\n',
        "data: plain\n\n",
        "data: 7\n\n",
        "data: None\n\n",
        DONE,
    ]


@pytest.mark.rule("S14", "S22")
@pytest.mark.parametrize("chunk", [Model(text="x", at=object()), {"a": object()}])
async def test_a_chunk_that_is_no_json_breaks_the_stream(chunk: object) -> None:
    assert await frames(said("one", chunk, "two")) == ["data: one\n\n", BROKEN, DONE]


@pytest.mark.rule("S16", "S18")
async def test_usage_comes_after_the_last_chunk() -> None:
    order: list[str] = []

    async def chunks() -> AsyncGenerator[object]:
        yield "one"
        order.append("chunks")

    async def counted() -> object:
        order.append("usage")
        return USED

    *_, usage, done = await frames(chunks(), counted())
    assert order == ["chunks", "usage"]
    told = json.loads(usage.removeprefix("data: "))
    assert (told["message_type"], told["total_tokens"]) == ("usage_statistics", 7)
    assert (told["step_count"], told["reasoning_tokens"]) == (1, None)
    assert "steps_messages" not in told
    assert done == DONE


@pytest.mark.rule("S17", "S21", "S23")
@pytest.mark.parametrize("value", [{"total_tokens": 7}, None, ValueError("password hunter2")])
async def test_usage_that_cannot_be_had_is_an_internal_error(
    value: object, reported: list[BaseException]
) -> None:
    assert await frames(said("one"), used(value)) == ["data: one\n\n", INTERNAL, DONE]
    assert len(reported) == 1


@pytest.mark.rule("S19", "S20", "S23", "streaming-2.16")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ContextOverflow("too long"), "CONTEXT_WINDOW_EXCEEDED"),
        (SystemPromptTooLarge("too long"), "CONTEXT_WINDOW_EXCEEDED"),
        (ModelRateLimited("slow down"), "RATE_LIMIT_EXCEEDED"),
    ],
)
async def test_failures_with_a_code(
    error: Exception, code: str, reported: list[BaseException]
) -> None:
    *_, failed, done = await frames(said("one"), used(error))
    assert failed == f'data: {{"error":"Stream failed: {error}","code":"{code}"}}\n\n'
    assert done == DONE
    assert reported == [error]


@pytest.mark.rule("S22", "S23", "S26")
@pytest.mark.parametrize("error", [ValueError("x"), ModelRateLimited()])
async def test_a_generator_that_fails(error: Exception, reported: list[BaseException]) -> None:
    counted = used()
    assert await frames(said("one", error=error), counted) == ["data: one\n\n", BROKEN, DONE]
    assert reported == [error]
    counted.close()


@pytest.mark.rule("S24")
async def test_the_end_is_said_unless_it_is_unwanted() -> None:
    assert (await frames(said()))[-1] == DONE
    for generator in (said(), said(error=ValueError()), said("x")):
        assert DONE not in await frames(generator, finish_message=False)
    assert DONE not in await frames(said(), used(ValueError()), finish_message=False)


@pytest.mark.rule("S25")
async def test_cancellation_is_no_error_and_the_end_is_still_tried() -> None:
    never, begun = asyncio.Event(), asyncio.Event()
    read: list[str] = []

    async def endless() -> AsyncGenerator[object]:
        yield "one"
        await never.wait()

    async def consume() -> None:
        async for frame in sse_async_generator(endless()):
            read.append(frame)
            begun.set()

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert read == ["data: one\n\n", DONE]


@pytest.mark.rule("S25", "FIX-12")
async def test_closing_early_is_no_error() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[object]:
        try:
            while True:
                yield "one"
        finally:
            closed.set()

    stream = sse_async_generator(endless())
    assert await anext(stream) == "data: one\n\n"
    await stream.aclose()
    assert closed.is_set()


@pytest.mark.rule("S8", "S10", "S11")
async def test_the_first_chunk_is_timed_once(collected: Collected) -> None:
    started_ns = time.time_ns() - 1_500_000_000
    with telemetry.bind(organization_id="org-1"):
        before = dict(telemetry.bound())
        await frames(said("one", "two"), request_start_timestamp_ns=started_ns, llm_config=CONFIG)
        assert dict(telemetry.bound()) == before
    ((attributes, ttft_ms),) = collected.points()["hist_ttft_ms"]
    assert attributes == {"organization.id": "org-1", "model.name": "gpt"}
    assert 1_500 <= ttft_ms < 60_000
    span = collected.spans()["time_to_first_token"]
    assert span.start_time == started_ns
    assert span.end_time is not None
    (event,) = span.events
    assert event.name == "time_to_first_token_ms"
    assert isinstance((event.attributes or {})["ttft_ms"], int)
    told = {
        name: value
        for name, value in (span.attributes or {}).items()
        if name.startswith("llm_config.")
    }
    assert told["llm_config.model"] == "gpt"
    assert told["llm_config.parallel_tool_calls"] is False
    assert "llm_config.endpoint" not in told


@pytest.mark.rule("S8")
async def test_without_a_start_nothing_is_timed(collected: Collected) -> None:
    await frames(said("one"), llm_config=CONFIG)
    assert collected.spans() == {}
    assert "hist_ttft_ms" not in collected.points()


@pytest.mark.rule("S9", "FIX-12")
async def test_a_start_without_a_config_is_timed_too(collected: Collected) -> None:
    read = await frames(said("one"), request_start_timestamp_ns=time.time_ns())
    assert read == ["data: one\n\n", DONE]
    ((attributes, _),) = collected.points()["hist_ttft_ms"]
    assert attributes == {}
    assert "time_to_first_token" in collected.spans()


@pytest.mark.rule("S12", "FIX-12", "G-23")
@pytest.mark.parametrize("error", [None, ValueError()])
async def test_a_stream_without_chunks_leaves_no_span_open(
    collected: Collected, error: Exception | None
) -> None:
    await frames(said(error=error), request_start_timestamp_ns=time.time_ns(), llm_config=CONFIG)
    span = collected.spans()["time_to_first_token"]
    assert span.end_time is not None
    assert list(span.events) == []
    assert "hist_ttft_ms" not in collected.points()


PROBE = """
import sys
from eunoe.http import seed
print(seed.SENTRY_ENABLED, "sentry_sdk" in sys.modules)
import os
os.environ["SENTRY_DSN"] = "http://key@127.0.0.1:9/1"
seed.capture_sentry_exception(ValueError("x"))
print(seed.SENTRY_ENABLED, "sentry_sdk" in sys.modules)
"""


@pytest.mark.rule("S1", "S26")
@pytest.mark.parametrize(
    ("dsn", "told"),
    [("", "False False False False"), ("http://key@127.0.0.1:9/1", "True True True True")],
)
async def test_reporting_is_decided_once_at_import(dsn: str, told: str) -> None:
    def probed() -> str:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={"SENTRY_DSN": dsn},
        )
        return done.stdout

    assert (await asyncio.to_thread(probed)).split() == told.split()


@pytest.mark.rule("S26")
async def test_an_error_is_reported_where_reports_go_somewhere(
    reported: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ValueError("x")
    capture_sentry_exception(error)
    assert reported == [error]
    monkeypatch.setattr(seed_stream, "SENTRY_ENABLED", False)
    capture_sentry_exception(error)
    assert reported == [error]
