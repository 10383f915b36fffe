"""What is asked of a provider: the body of a chat completions request."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest

from eunoe.domain.messages import Reasoning, Text, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.llm.chat_request import chat_body
from tests.llm.talk import CONFIG, ECHO, NOOP, asking, image, message

HERE = "http://127.0.0.1:1/v1/"
OPENAI = "https://api.openai.com/v1/"


def body(request: ModelRequest, base_url: str = HERE) -> dict[str, Any]:
    written: dict[str, Any] = orjson.loads(orjson.dumps(chat_body(request, base_url=base_url)))
    return written


def configured(
    model: str = "scripted-1", provider_type: str = "openai", **more: object
) -> ModelConfig:
    handle = f"{provider_type}/{model}"
    return replace(CONFIG, handle=handle, model=model, provider_type=provider_type, **more)


def test_a_plain_request() -> None:
    config = configured(temperature=0.3, max_output_tokens=99)
    asked = body(asking("hi", config=config, user="user-1"))
    assert asked == {
        "model": "scripted-1",
        "messages": [
            {"role": "system", "content": "You are a test."},
            {"role": "user", "content": "hi"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.3,
        "max_tokens": 99,
        "user": "user-1",
    }


def test_a_request_that_is_not_streamed_asks_for_no_stream_options() -> None:
    asked = body(asking(stream=False))
    assert asked["stream"] is False
    assert "stream_options" not in asked


@pytest.mark.rule("P13", "P14")
@pytest.mark.parametrize("model", ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5.1-codex"])
def test_reasoning_models_have_rules_of_their_own(model: str) -> None:
    config = configured(model, temperature=0.3, max_output_tokens=99, reasoning_effort="low")
    asked = body(asking(tools=[NOOP], parallel=True, config=config))
    assert asked["messages"][0]["role"] == "developer"
    assert asked["max_completion_tokens"] == 99
    assert asked["reasoning_effort"] == "low"
    assert not {"temperature", "max_tokens", "parallel_tool_calls"} & set(asked)


@pytest.mark.rule("P14")
@pytest.mark.parametrize("parallel", [True, False])
def test_the_parallel_flag_goes_with_tools_only(*, parallel: bool) -> None:
    assert body(asking(tools=[NOOP], parallel=parallel))["parallel_tool_calls"] is parallel
    assert not {"parallel_tool_calls", "tools", "tool_choice"} & set(body(asking()))


@pytest.mark.rule("P12", "P17", "FIX-19")
@pytest.mark.parametrize(
    ("provider_type", "choice", "sent", "offered"),
    [
        ("openai", ToolChoice(), "auto", 2),
        ("openai", ToolChoice(mode="none"), "none", 2),
        ("openai", ToolChoice(mode="required"), "required", 2),
        ("vllm", ToolChoice(mode="required"), "auto", 2),
        ("openai", ToolChoice(name="echo"), {"type": "function", "function": {"name": "echo"}}, 1),
        ("azure", ToolChoice(name="echo"), {"type": "function", "function": {"name": "echo"}}, 2),
        ("ollama", ToolChoice(name="echo"), "required", 1),
        ("groq", ToolChoice(name="echo"), "required", 1),
        ("openrouter", ToolChoice(name="echo"), "required", 1),
    ],
)
def test_tool_choice(provider_type: str, choice: ToolChoice, sent: object, offered: int) -> None:
    config = configured(provider_type=provider_type)
    asked = body(asking(tools=[NOOP, ECHO], choice=choice, config=config))
    assert asked["tool_choice"] == sent
    assert len(asked["tools"]) == offered


@pytest.mark.rule("P16", "X53")
def test_strict_only_when_the_configuration_asks() -> None:
    loose = body(asking(tools=[NOOP]))["tools"][0]["function"]
    assert "strict" not in loose
    assert loose["parameters"] == NOOP.parameters
    strict = body(asking(tools=[NOOP], config=configured(strict=True)))["tools"][0]["function"]
    assert strict["strict"] is True
    assert strict["parameters"]["required"] == ["a", "n"]
    assert strict["parameters"]["properties"]["n"] == {"type": ["integer", "null"]}


@pytest.mark.rule("P17")
def test_a_vendor_without_strict_mode_is_not_asked_for_it() -> None:
    config = configured(provider_type="deepseek", strict=True)
    assert "strict" not in body(asking(tools=[NOOP], config=config))["tools"][0]["function"]


@pytest.mark.rule("S48", "X5")
def test_returns_are_sent_in_their_envelope() -> None:
    call = ToolCall(id="c1", name="noop", arguments='{"a": "ü"}')
    result = ToolReturn(call_id="c1", name="noop", ok=False, output="größer", time="now")
    result = replace(result, stdout=("printed",), stderr=("warned",))
    history = [message("assistant", "so", calls=[call]), message("tool", returns=[result])]
    assistant, tool = body(asking(history=history))["messages"][1:3]
    assert assistant == {
        "role": "assistant",
        "content": "so",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "noop", "arguments": '{"a": "ü"}'},
            }
        ],
    }
    assert tool["role"] == "tool"
    assert tool["tool_call_id"] == "c1"
    assert "printed" not in str(tool)
    assert "warned" not in str(tool)
    assert json.loads(tool["content"]) == {"status": "Failed", "message": "größer", "time": "now"}
    assert '\n  "message": "größer"' in tool["content"]


@pytest.mark.rule("C21")
def test_a_summary_is_sent_as_the_user() -> None:
    sent = body(asking(history=[message("summary", "before this")]))["messages"][1]
    assert sent == {"role": "user", "content": "before this"}


@pytest.mark.rule("P18")
def test_images_are_data_urls() -> None:
    parts = [Text(text="look"), image("aGk=")]
    sent = body(asking(history=[message("user", parts)]))["messages"][1]
    assert sent["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
    ]


@pytest.mark.rule("agent-10.4", "R13")
@pytest.mark.parametrize(
    ("provider_type", "base_url", "model", "field"),
    [
        ("openai", HERE, "openai/scripted-1", "reasoning_content"),
        ("openai", HERE, "scripted-1", "reasoning_content"),
        ("openrouter", HERE, "scripted-1", "reasoning"),
        ("openai", OPENAI, "scripted-1", None),
        ("zai", HERE, "scripted-1", None),
        ("openai", HERE, "another", None),
        ("openai", HERE, None, None),
    ],
)
def test_reasoning_goes_back_only_to_the_model_it_came_from(
    provider_type: str, base_url: str, model: str | None, field: str | None
) -> None:
    parts = [Reasoning(text="hm", signature="sig"), Text(text="tea")]
    request = asking(
        history=[message("assistant", parts, model=model)],
        config=configured(provider_type=provider_type),
    )
    sent = body(request, base_url)["messages"][1]
    assert sent["content"] == "tea"
    reasoning = {k: v for k, v in sent.items() if "reasoning" in k}
    assert reasoning == ({field: "hm", f"{field}_signature": "sig"} if field else {})


@pytest.mark.rule("agent-10.4")
def test_deepseek_wants_reasoning_inside_a_turn_only() -> None:
    call = ToolCall(id="c1", name="noop", arguments="{}")
    result = ToolReturn(call_id="c1", name="noop", ok=True, output="x", time="now")
    config = configured("deepseek-reasoner", "deepseek", temperature=0.5)
    turn = (
        message("system", "s"),
        message("user", "q"),
        message("assistant", [Reasoning(text="hm")], calls=[call], model="deepseek-reasoner"),
        message("tool", returns=[result]),
    )
    inside = body(ModelRequest(config=config, messages=turn))
    assert inside["messages"][2]["reasoning_content"] == "hm"
    assert "temperature" not in inside
    after = body(ModelRequest(config=config, messages=(*turn, message("user", "next"))))
    assert "reasoning_content" not in after["messages"][2]


@pytest.mark.rule("FIX-72")
def test_mistral_gets_ids_of_nine_letters() -> None:
    call = ToolCall(id="call_0123456789abcdef", name="noop", arguments="{}")
    kept = ToolCall(id="aB3dE6gH9", name="noop", arguments="{}")
    results = [
        ToolReturn(call_id=c.id, name="noop", ok=True, output="x", time="t") for c in (call, kept)
    ]
    history = [message("assistant", calls=[call, kept]), message("tool", returns=results)]
    asked = body(asking(history=history, config=configured(provider_type="mistral")))
    assistant, *tools = asked["messages"][1:4]
    ids = [c["id"] for c in assistant["tool_calls"]]
    assert ids == [t["tool_call_id"] for t in tools]
    assert ids[1] == "aB3dE6gH9"
    assert all(len(i) == 9 and i.isalnum() for i in ids)
    assert "stream_options" not in asked


@pytest.mark.rule("P15")
def test_openai_itself_gets_what_only_it_understands() -> None:
    asked = body(asking(config=configured("gpt-4.1-fast")), OPENAI)
    assert asked["model"] == "gpt-4.1"
    assert asked["service_tier"] == "priority"
    assert asked["prompt_cache_retention"] == "24h"
    assert "prompt_cache_retention" not in body(asking(config=configured("gpt-5-mini")), OPENAI)
    assert "prompt_cache_retention" not in body(asking(config=configured("gpt-4.1")))


def test_a_schema_for_the_reply() -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"a": {"type": "string"}}}
    asked = body(asking(response_schema=schema))
    assert asked["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": schema},
    }
    strict = body(asking(response_schema=schema, config=configured(strict=True)))
    described = strict["response_format"]["json_schema"]
    assert described["strict"] is True
    assert described["schema"]["additionalProperties"] is False
    given = {"type": "json_object"}
    assert body(asking(config=configured(response_format=given)))["response_format"] == given


def test_reasoning_is_switched_in_each_vendors_way() -> None:
    on = configured(provider_type="openrouter", reasoning_effort="high")
    assert body(asking(config=on))["reasoning"] == {"effort": "high", "enabled": True}
    off = configured(provider_type="zai", enable_reasoner=False)
    assert body(asking(config=off))["thinking"] == {"type": "disabled", "clear_thinking": False}
