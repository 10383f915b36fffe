"""Gemini through its library."""

from typing import Any

import orjson
import pytest

from eunoe.domain.messages import Text, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.registry import Registry
from eunoe.llm.sources import Endpoint
from eunoe.testing.http_server import STREAM_END, STREAM_HEAD, Answer, Request, chunk, serving
from tests.llm.talk import (
    NOOP,
    QUICK,
    answering,
    asking,
    calls_in,
    finish_of,
    image,
    message,
    said,
    text_in,
    thought_in,
    usage_in,
)
from tests.llm.wires import LANES

pytestmark = pytest.mark.anyio
CONFIG = ModelConfig(
    handle="google_ai/gemini-2.5-flash",
    model="gemini-2.5-flash",
    provider_type="google_ai",
    provider_name="google_ai",
    max_reasoning_tokens=1_024,
)
USAGE = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 17,
    "cachedContentTokenCount": 6,
}


def stream_of(*parts: dict[str, Any], finish: str | None = "STOP") -> bytes:
    chunks: list[dict[str, Any]] = [
        {"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}}]}
        for part in parts
    ]
    if finish:
        chunks[-1]["candidates"][0]["finishReason"] = finish
        chunks[-1]["usageMetadata"] = USAGE
    lines = (b"data: " + orjson.dumps(c) + b"\r\n\r\n" for c in chunks)
    return STREAM_HEAD + b"".join(map(chunk, lines)) + STREAM_END


async def _said(answer: bytes, *history: Any) -> tuple[list[Any], list[Request]]:
    answerer, requests = answering(answer)

    def answered(request: Request) -> Answer:
        return answerer(request)

    async with serving(answered) as url:
        provider = ProviderConfig(
            name="google_ai", provider_type="google_ai", base_url=url, api_key="test-key"
        )
        registry = Registry([Endpoint(provider, retries=QUICK)])
        try:
            request = asking(tools=[NOOP], config=CONFIG, history=history)
            return await said(registry.model_for(CONFIG), request), requests
        finally:
            await registry.aclose()


async def test_thoughts_text_calls_and_usage() -> None:
    events, requests = await _said(
        stream_of(
            {"text": "hm", "thought": True},
            {"text": "so"},
            {"functionCall": {"name": "noop", "args": {"a": "x"}}},
        )
    )
    assert (thought_in(events), text_in(events)) == ("hm", "so")
    ((call_id, name, arguments),) = calls_in(events)
    assert call_id
    assert (name, orjson.loads(arguments)) == ("noop", {"a": "x"})
    assert finish_of(events) == "tool_calls"
    usage = usage_in(events)
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_input_tokens) == (10, 7, 6)
    assert requests[0].path == "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    sent = orjson.loads(requests[0].body)
    assert sent["systemInstruction"]["parts"] == [{"text": "You are a test."}]
    thinking = sent["generationConfig"]["thinkingConfig"]
    assert list(thinking.values()) == [True, 1_024]


@pytest.mark.rule("P31")
async def test_history_with_images_and_results() -> None:
    call = ToolCall(id="c1", name="noop", arguments='{"a": "x"}')
    result = ToolReturn(call_id="c1", name="noop", ok=True, output="fine", time="now")
    _, requests = await _said(
        stream_of({"text": "ok"}),
        message("user", [Text(text="look"), image()]),
        message("assistant", calls=[call]),
        message("tool", returns=[result]),
    )
    contents = orjson.loads(requests[0].body)["contents"]
    assert [c["role"] for c in contents] == ["user", "model", "user", "model", "user"]
    assert "image/png" in str(contents[0]["parts"][1]["inlineData"])
    assert contents[1]["parts"][0]["functionCall"]["args"] == {"a": "x"}
    assert "fine" in str(contents[2]["parts"][0]["functionResponse"]["response"])


@pytest.mark.rule("P32", "P33", "P40", "FIX-68")
@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "STOP"])
async def test_a_reply_that_came_to_nothing_is_asked_for_again(finish: str) -> None:
    nothing = stream_of({"text": ""}, finish=finish)
    answer, requests = answering(nothing, stream_of({"text": "tea"}))
    async with LANES["google"].model(answer) as model:
        assert text_in(await said(model, asking(config=CONFIG))) == "tea"
    assert len(requests) == 2


@pytest.mark.rule("P33")
@pytest.mark.parametrize(
    ("finish", "reason"), [("MAX_TOKENS", "length"), ("SAFETY", "content_filter")]
)
async def test_why_a_reply_ended(finish: str, reason: str) -> None:
    events, _ = await _said(stream_of({"text": "half"}, finish=finish))
    assert finish_of(events) == reason
