"""The chat completions adapter over real HTTP, against the scripted model server."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import httpx
import pytest

from eunoe.domain.events import ReasoningHidden, TextDelta
from eunoe.domain.messages import ToolCall, ToolReturn
from eunoe.engine.ports import ToolChoice
from eunoe.testing.http_server import serving
from eunoe.testing.model_server import ServerOptions, scripted_model_server
from tests.llm.talk import (
    CONFIG,
    ECHO,
    NOOP,
    OK,
    WHOLE,
    answering,
    asking,
    calls_in,
    chat_at,
    finish_of,
    message,
    said,
    text_in,
    thought_in,
    usage_in,
)

pytestmark = pytest.mark.anyio

STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@STREAMED
async def test_text_reasoning_and_usage_come_in_order(*, stream: bool) -> None:
    async with scripted_model_server() as url, chat_at(url) as model:
        events = await said(model, asking("THINK let me see SAY it is tea", stream=stream))
    assert thought_in(events) == "let me see"
    assert text_in(events) == "it is tea"
    kinds = [type(event).__name__ for event in events]
    assert kinds.index("ReasoningDelta") < kinds.index("TextDelta") < kinds.index("UsageReported")
    usage = usage_in(events)
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert (usage.cached_input_tokens, usage.reasoning_tokens) == (0, 3)
    assert usage.cache_write_tokens is None
    assert finish_of(events) == "stop"


@STREAMED
@pytest.mark.rule("G-15")
async def test_parallel_calls_keep_their_arguments_apart(*, stream: bool) -> None:
    text = 'CALLS [{"name": "noop", "arguments": {"a": "x"}}, {"name": "echo", "arguments": {"text": "é"}}]'
    request = asking(text, tools=[NOOP, ECHO], parallel=True, stream=stream)
    async with scripted_model_server() as url, chat_at(url) as model:
        events = await said(model, request)
    calls = calls_in(events)
    assert [(name, arguments) for _, name, arguments in calls] == [
        ("noop", '{"a":"x"}'),
        ("echo", '{"text":"é"}'),
    ]
    assert len({call_id for call_id, _, _ in calls}) == 2
    assert finish_of(events) == "tool_calls"


async def test_a_result_leads_to_the_final_answer() -> None:
    history = [
        message("user", "CALL noop {}"),
        message("assistant", calls=[ToolCall(id="c1", name="noop", arguments="{}")]),
        message(
            "tool", returns=[ToolReturn(call_id="c1", name="noop", ok=True, output="x", time="t")]
        ),
    ]
    request = asking(tools=[NOOP])
    request = type(request)(
        config=request.config, messages=(request.messages[0], *history), tools=request.tools
    )
    async with scripted_model_server() as url, chat_at(url) as model:
        events = await said(model, request)
    assert not calls_in(events)
    assert text_in(events)


@pytest.mark.rule("P12")
async def test_a_forced_tool_is_called() -> None:
    request = asking("hello", tools=[NOOP, ECHO], choice=ToolChoice(mode="required", name="echo"))
    async with scripted_model_server() as url, chat_at(url) as model:
        events = await said(model, request)
    assert [name for _, name, _ in calls_in(events)] == ["echo"]


@STREAMED
@pytest.mark.rule("streaming-2.8", "agent-10.1")
@pytest.mark.parametrize(
    ("model", "text", "first"),
    [
        ("gpt-5.1", "SAY tea", ReasoningHidden(state="omitted")),
        ("gpt-5.1", "THINK hm SAY tea", None),
        ("gpt-4.1", "SAY tea", None),
    ],
)
async def test_a_model_that_hides_its_reasoning_is_said_to(
    model: str, text: str, first: object, *, stream: bool
) -> None:
    config = replace(CONFIG, model=model)
    async with scripted_model_server() as url, chat_at(url) as talking:
        events = await said(talking, asking(text, config=config, stream=stream))
    hidden = [event for event in events if isinstance(event, ReasoningHidden)]
    assert hidden == ([first] if first else [])
    assert not hidden or events[0] is hidden[0]


async def test_usage_that_was_never_reported_is_not_made_up() -> None:
    async with scripted_model_server(ServerOptions(usage=False)) as url, chat_at(url) as model:
        assert usage_in(await said(model, asking())) is None


@pytest.mark.parametrize("stream", [True, False])
async def test_requests_share_one_connection(*, stream: bool) -> None:
    answer, requests = answering(OK if stream else WHOLE)
    async with serving(answer) as url, chat_at(url) as model:
        for _ in range(5):
            await said(model, asking(stream=stream))
    assert [request.connection for request in requests] == [1] * 5


async def test_many_requests_at_once_are_answered_each_with_its_own() -> None:
    async with scripted_model_server() as url, chat_at(url) as model:
        replies = await asyncio.gather(*(said(model, asking(f"SAY number {n}")) for n in range(50)))
    assert [text_in(events) for events in replies] == [f"number {n}" for n in range(50)]


@pytest.mark.rule("G-15")
async def test_who_stops_reading_closes_the_connection() -> None:
    async with scripted_model_server() as url, chat_at(url) as model:
        async with aclosing(model.stream(asking("HANG 2"))) as events:
            assert isinstance(await anext(events), TextDelta)
        await _aborted(url)


async def test_a_cancelled_request_closes_the_connection_at_once() -> None:
    began = asyncio.Event()

    async with scripted_model_server() as url, chat_at(url) as model:

        async def reading() -> None:
            async with aclosing(model.stream(asking("HANG 1"))) as events:
                async for _ in events:
                    began.set()

        task = asyncio.create_task(reading())
        async with asyncio.timeout(5):
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await _aborted(url)


async def _aborted(url: str) -> None:
    """Wait until the server has seen its client go."""
    async with httpx.AsyncClient() as http, asyncio.timeout(5):
        while not (await http.get(url.removesuffix("/v1") + "/stats")).json().get("aborted"):
            continue
