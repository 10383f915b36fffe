"""OpenAI's Responses through its library: reasoning items come whole and go back whole."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest

from eunoe.domain.events import ReasoningSummary, SummaryDelta
from eunoe.domain.messages import Reasoning, SummarizedReasoning, Text, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.llm.chat import ChatModel
from eunoe.llm.connection import Timeouts
from eunoe.llm.faults import Origin
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.retries import Retries
from eunoe.llm.sources import ByLoop, Endpoint
from eunoe.llm.vendor import VendorModel
from eunoe.testing.http_server import STREAM_END, STREAM_HEAD, chunk, serving
from tests.llm.talk import (
    NOOP,
    answering,
    asking,
    calls_in,
    finish_of,
    message,
    said,
    text_in,
    usage_in,
)

pytestmark = pytest.mark.anyio
CONFIG = ModelConfig(
    handle="openai/gpt-5.1",
    model="gpt-5.1",
    provider_type="openai",
    provider_name="openai",
    reasoning_effort="low",
    temperature=0.5,
)
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
    "encrypted_content": "sealed",
}
MESSAGE: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "tea", "annotations": []}],
}
CALLS = [
    {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": "noop",
     "arguments": f'{{"a": "{n}"}}', "status": "completed"}
    for n in (1, 2)
]  # fmt: skip
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 6,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 16,
}


@asynccontextmanager
async def openai_at(url: str) -> AsyncGenerator[VendorModel]:
    model = VendorModel(
        ProviderConfig(name="openai", provider_type="openai", base_url=url, api_key="sk-test"),
        wire="responses",
        origin=Origin(name="openai"),
        timeouts=Timeouts(),
        retries=Retries(first_s=0.001),
    )
    try:
        yield model
    finally:
        await model.aclose()


def _item_events(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    at = {"output_index": index, "item_id": item["id"]}
    middle: list[dict[str, Any]] = []
    opened = dict(item)
    match item["type"]:
        case "reasoning":
            opened |= {"summary": [], "encrypted_content": None}
            for n, part in enumerate(item["summary"]):
                blank = {"type": "summary_text", "text": ""}
                middle += [
                    {
                        "type": "response.reasoning_summary_part.added",
                        "summary_index": n,
                        "part": blank,
                    },
                    {
                        "type": "response.reasoning_summary_text.delta",
                        "summary_index": n,
                        "delta": part["text"],
                    },
                ]
        case "message":
            opened |= {"content": []}
            text = item["content"][0]["text"]
            empty: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
            middle += [
                {"type": "response.content_part.added", "content_index": 0, "part": empty},
                {
                    "type": "response.output_text.delta",
                    "content_index": 0,
                    "delta": text,
                    "logprobs": [],
                },
            ]
        case _:
            opened |= {"arguments": ""}
            half = len(item["arguments"]) // 2
            middle += [
                {"type": "response.function_call_arguments.delta", "delta": part}
                for part in (item["arguments"][:half], item["arguments"][half:])
            ]
    added = {"type": "response.output_item.added", "output_index": index, "item": opened}
    done = {"type": "response.output_item.done", "output_index": index, "item": item}
    return [added, *(at | event for event in middle), done]


def stream_of(*items: dict[str, Any], ended: bool = True) -> bytes:
    response: dict[str, Any] = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5.1", "output": [],
        "status": "in_progress", "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    events = [{"type": "response.created", "response": response}]
    for index, item in enumerate(items):
        events += _item_events(index, item)
    if ended:
        whole = response | {"status": "completed", "output": list(items), "usage": USAGE}
        events.append({"type": "response.completed", "response": whole})
    numbered = (orjson.dumps(e | {"sequence_number": n}) for n, e in enumerate(events))
    return STREAM_HEAD + b"".join(chunk(b"data: " + e + b"\n\n") for e in numbered) + STREAM_END


@pytest.mark.rule("R11", "R12", "FIX-49", "streaming-2.8")
async def test_reasoning_items_and_all_calls_are_kept_with_their_ids() -> None:
    answer, requests = answering(stream_of(REASONING, *CALLS))
    async with serving(answer) as url, openai_at(f"{url}/v1") as model:
        events = await said(model, asking(tools=[NOOP], parallel=True, config=CONFIG))
    assert events[:3] == [
        SummaryDelta(text="one"),
        SummaryDelta(text="\n\ntwo"),
        ReasoningSummary(id="rs_1", summary=("one", "two"), encrypted="sealed"),
    ]
    assert [(name, arguments) for _, name, arguments in calls_in(events)] == [
        ("noop", '{"a": "1"}'),
        ("noop", '{"a": "2"}'),
    ]
    assert finish_of(events) == "tool_calls"
    usage = usage_in(events)
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_input_tokens) == (10, 6, 4)
    assert usage.reasoning_tokens == 5
    sent = orjson.loads(requests[0].body)
    assert sent["store"] is False
    assert sent["include"] == ["reasoning.encrypted_content"]
    assert sent["reasoning"] == {"effort": "low", "summary": "detailed"}
    assert "temperature" not in sent


@pytest.mark.rule("agent-10.4", "R13")
@pytest.mark.parametrize(("written_by", "returned"), [("gpt-5.1", True), ("claude-x", False)])
async def test_sealed_reasoning_goes_back_to_its_own_model(
    written_by: str, *, returned: bool
) -> None:
    call = ToolCall(id="call_1", name="noop", arguments="{}")
    parts = [
        SummarizedReasoning(id="rs_1", summary=("one", "two"), encrypted="sealed"),
        Reasoning(text="foreign", signature="x") if not returned else Text(text="so"),
    ]
    result = ToolReturn(call_id="call_1", name="noop", ok=True, output="x", time="now")
    history = [
        message("user", "q"),
        message("assistant", parts, calls=[call], model=written_by),
        message("tool", returns=[result]),
    ]
    answer, requests = answering(stream_of(MESSAGE))
    async with serving(answer) as url, openai_at(f"{url}/v1") as model:
        events = await said(model, asking(history=history, tools=[NOOP], config=CONFIG))
    assert text_in(events) == "tea"
    sent: list[dict[str, Any]] = orjson.loads(requests[0].body)["input"]
    sealed = [item for item in sent if item.get("type") == "reasoning"]
    if returned:
        assert [(i["id"], i["encrypted_content"]) for i in sealed] == [("rs_1", "sealed")]
        assert [s["text"] for s in sealed[0]["summary"]] == ["one", "two"]
    else:
        assert sealed == []
        assert "foreign" not in str(sent)


@pytest.mark.rule("R11", "FIX-67")
async def test_only_openais_own_reasoners_take_this_way() -> None:
    genuine = Endpoint(
        ProviderConfig(name="openai", provider_type="openai", base_url="https://api.openai.com/v1")
    )
    elsewhere = Endpoint(
        ProviderConfig(name="openai", provider_type="openai", base_url="http://127.0.0.1:9/v1")
    )
    by_loop = genuine.model(CONFIG)
    assert isinstance(by_loop, ByLoop)
    assert isinstance(by_loop.asked(asking(config=CONFIG)), VendorModel)
    assert isinstance(by_loop.asked(asking(config=CONFIG, heartbeats=True)), ChatModel)
    assert isinstance(genuine.model(replace(CONFIG, model="gpt-5.1-codex")), VendorModel)
    assert isinstance(genuine.model(replace(CONFIG, model="gpt-4.1")), ChatModel)
    assert isinstance(elsewhere.model(CONFIG), ChatModel)
    await genuine.aclose()
    await elsewhere.aclose()
