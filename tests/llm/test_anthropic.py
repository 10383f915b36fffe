"""Anthropic through its library, over the wire that it really speaks."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest

from eunoe.domain.events import ReasoningDelta, ReasoningHidden
from eunoe.domain.messages import (
    Message,
    OmittedReasoning,
    Reasoning,
    RedactedReasoning,
    Text,
    ToolCall,
    ToolReturn,
)
from eunoe.domain.models import ModelConfig
from eunoe.engine.ports import Model, ModelRequest, ToolChoice
from eunoe.errors import ModelOverloaded
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.registry import Registry
from eunoe.llm.sources import Endpoint
from eunoe.testing.http_server import STREAM_END, STREAM_HEAD, chunk, serving
from tests.fixtures.anthropic_server import SIGNATURE, AnthropicServer
from tests.llm.talk import (
    ECHO,
    NOOP,
    QUICK,
    answering,
    asking,
    finish_of,
    image,
    message,
    said,
    text_in,
    thought_in,
    usage_in,
)

pytestmark = pytest.mark.anyio

CONFIG = ModelConfig(
    handle="anthropic/claude-haiku-4-5",
    model="claude-haiku-4-5",
    provider_type="anthropic",
    provider_name="anthropic",
    enable_reasoner=False,
)
THINKING = replace(CONFIG, enable_reasoner=True, max_reasoning_tokens=1_024)


@asynccontextmanager
async def claude(server: AnthropicServer) -> AsyncGenerator[Model]:
    async with serving(server.answer) as url, at(f"{url}/v1") as model:
        yield model


@asynccontextmanager
async def at(url: str) -> AsyncGenerator[Model]:
    provider = ProviderConfig(
        name="anthropic", provider_type="anthropic", base_url=url, api_key="sk-ant-0123456789"
    )
    registry = Registry([Endpoint(provider, retries=QUICK)])
    try:
        yield registry.model_for(CONFIG)
    finally:
        await registry.aclose()


async def test_its_models_are_listed_with_their_windows() -> None:
    async with serving(AnthropicServer().answer) as url:
        provider = ProviderConfig(name="anthropic", provider_type="anthropic", base_url=f"{url}/v1")
        registry = Registry([Endpoint(provider)])
        config = await registry.resolve("anthropic/claude-haiku-4-5")
        await registry.aclose()
    assert (config.context_window, config.provider_type) == (200_000, "anthropic")


@pytest.mark.rule("FIX-51", "R3")
async def test_thinking_comes_with_its_signature_last() -> None:
    async with claude(AnthropicServer()) as model:
        events = await said(model, asking("THINK a b SAY tea", config=THINKING))
    assert (thought_in(events), text_in(events)) == ("a b", "tea")
    thoughts = [event for event in events if isinstance(event, ReasoningDelta)]
    assert [t.signature for t in thoughts] == [None] * (len(thoughts) - 1) + [SIGNATURE]
    assert any(t.text.isspace() for t in thoughts)
    assert finish_of(events) == "stop"


@pytest.mark.rule("P19")
async def test_prompt_tokens_include_what_the_cache_holds() -> None:
    server = AnthropicServer()
    async with claude(server) as model:
        first = usage_in(await said(model, asking(tools=[NOOP], config=CONFIG)))
        second = usage_in(await said(model, asking(tools=[NOOP], config=CONFIG)))
    assert first is not None
    assert second is not None
    assert first.prompt_tokens == second.prompt_tokens
    assert first.cache_write_tokens
    assert first.cached_input_tokens == 0
    assert (second.cached_input_tokens, second.cache_write_tokens) == (first.cache_write_tokens, 0)
    sent = server.requests[0]
    marked = [sent["system"][-1], sent["tools"][-1], sent["messages"][-1]["content"][-1]]
    assert all(block["cache_control"]["type"] == "ephemeral" for block in marked)


@pytest.mark.rule("FIX-52", "P20", "P8")
async def test_history_is_written_as_anthropic_wants_it() -> None:
    calls = [ToolCall(id=f"c{n}", name="noop", arguments='{"a": "x"}') for n in (1, 2)]
    results = [
        ToolReturn(call_id="c1", name="noop", ok=True, output="fine", time="now"),
        ToolReturn(call_id="c2", name="noop", ok=False, output="broke", time="now"),
    ]
    history = [
        message("assistant", "hello"),
        message("user", [Text(text="look"), image()]),
        message("assistant", calls=calls),
        message("tool", returns=results[:1]),
        message("tool", returns=results[1:]),
        message("system", "the clock struck"),
    ]
    server = AnthropicServer()
    async with claude(server) as model:
        await said(model, asking("go on", history=history, tools=[NOOP], config=CONFIG))
    sent = server.requests[0]
    assert [block["text"] for block in sent["system"]] == ["You are a test."]
    messages = sent["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert messages[2]["content"][1]["source"]["media_type"] == "image/png"
    assert [b["input"] for b in messages[3]["content"]] == [{"a": "x"}, {"a": "x"}]
    last = messages[4]["content"]
    assert [(b["tool_use_id"], b["is_error"]) for b in last[:2]] == [("c1", False), ("c2", True)]
    assert '"status": "Failed"' in str(last[1]["content"])
    assert [b["text"] for b in last[2:]] == ["[event]\nthe clock struck", "go on"]


def _thoughtful(model: str | None) -> list[Message]:
    parts = [
        Reasoning(text="hm", signature=SIGNATURE),
        RedactedReasoning(data="opaque"),
        Reasoning(text="unsigned"),
        Text(text="tea"),
    ]
    return [message("user", "q"), message("assistant", parts, model=model)]


@pytest.mark.rule("agent-10.4", "R13")
@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        ("anthropic/claude-haiku-4-5", ["thinking", "redacted_thinking", "text"]),
        ("claude-haiku-4-5", ["thinking", "redacted_thinking", "text"]),
        ("openai/gpt-5", ["text"]),
        (None, ["text"]),
    ],
)
async def test_only_its_own_signed_reasoning_goes_back(model: str | None, kinds: list[str]) -> None:
    server = AnthropicServer()
    async with claude(server) as talking:
        await said(talking, asking(history=_thoughtful(model), config=THINKING))
    blocks = server.requests[0]["messages"][1]["content"]
    assert [block["type"] for block in blocks] == kinds
    assert blocks[-1]["text"] == "tea"
    if "thinking" in kinds:
        assert blocks[0] == {"type": "thinking", "thinking": "hm", "signature": SIGNATURE}
        assert blocks[1] == {"type": "redacted_thinking", "data": "opaque"}


def _sent_thinking(server: AnthropicServer) -> object:
    return server.requests[-1].get("thinking")


@pytest.mark.rule("P23", "P24", "FIX-19", "FIX-53", "R7")
async def test_thinking_and_forced_calls_exclude_each_other() -> None:
    server = AnthropicServer()
    async with claude(server) as model:

        async def send(request: ModelRequest) -> dict[str, object]:
            await said(model, request)
            return server.requests[-1]

        small = replace(THINKING, max_output_tokens=1_000, max_reasoning_tokens=512)
        sent = await send(asking(config=small))
        assert _sent_thinking(server) == {"type": "enabled", "budget_tokens": 1_024}
        assert sent["temperature"] == 1.0
        assert sent["max_tokens"] == 2_024

        sent = await send(asking(config=CONFIG))
        assert _sent_thinking(server) is None
        assert sent["max_tokens"] == 4_096

        choice = ToolChoice(mode="required", name="echo")
        sent = await send(asking(tools=[NOOP, ECHO], choice=choice, config=THINKING))
        assert _sent_thinking(server) is None
        assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
        assert [tool["name"] for tool in _tools(sent)] == ["echo"]

        sent = await send(asking(tools=[NOOP], choice=ToolChoice(mode="required"), config=THINKING))
        assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}

        sent = await send(asking(tools=[NOOP], choice=ToolChoice(mode="required"), config=CONFIG))
        assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


def _tools(sent: dict[str, object]) -> Sequence[dict[str, object]]:
    tools = sent["tools"]
    assert isinstance(tools, list)
    return tools  # pyright: ignore[reportUnknownVariableType] - a request's JSON


def _stream(*events: bytes) -> bytes:
    """Return a stream of `events`, each under the name of its type, as Anthropic sends them."""
    chunks = (chunk(b"event: %b\ndata: %b\n\n" % (_type_of(e), e)) for e in events)
    return STREAM_HEAD + b"".join(chunks) + STREAM_END


def _type_of(event: bytes) -> bytes:
    return str(orjson.loads(event)["type"]).encode()


START = (
    b'{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c",'
    b'"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}'
)


async def test_redacted_thinking_is_hidden_but_kept() -> None:
    stream = _stream(
        START,
        b'{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"opaque"}}',
        b'{"type":"content_block_stop","index":0}',
        b'{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"tea"}}',
        b'{"type":"content_block_stop","index":1}',
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
        b'{"type":"message_stop"}',
    )
    async with serving(lambda _: stream) as url, at(f"{url}/v1") as model:
        events = await said(model, asking(config=THINKING))
    assert events[0] == ReasoningHidden(state="redacted", data="opaque")
    assert text_in(events) == "tea"


@pytest.mark.rule("streaming-2.8", "agent-10.4")
async def test_thinking_that_is_signed_and_not_told_is_omitted_and_goes_back() -> None:
    stream = _stream(
        START,
        b'{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}',
        b'{"type":"content_block_stop","index":0}',
        b'{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"tea"}}',
        b'{"type":"content_block_stop","index":1}',
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
        b'{"type":"message_stop"}',
    )
    answer, requests = answering(stream)
    told = message(
        "assistant", [OmittedReasoning(signature="c2ln"), Text(text="tea")], model=CONFIG.model
    )
    async with serving(answer) as url, at(f"{url}/v1") as model:
        events = await said(model, asking(config=THINKING, history=[message("user", "q"), told]))
    assert events[0] == ReasoningHidden(state="omitted", data="c2ln")
    sent = orjson.loads(requests[0].body)["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": "", "signature": "c2ln"}


async def test_overload_in_the_middle_has_its_class() -> None:
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    async with serving(lambda _: _stream(START, error)) as url, at(f"{url}/v1") as model:
        with pytest.raises(ModelOverloaded):
            await said(model, asking(config=CONFIG))
