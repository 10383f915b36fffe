"""Golden requests: one conversation as each vendor is asked it (P12 to P34)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from inline_snapshot import snapshot

from eunoe.domain.messages import (
    Message,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
    ToolCall,
    ToolReturn,
)
from eunoe.domain.models import ModelConfig
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import ModelRequest, ToolChoice
from eunoe.llm.chat_request import chat_body
from eunoe.llm.providers import BASE_URLS
from eunoe.testing.provider_server import ProviderServer
from tests.llm.talk import asking, image, message, said
from tests.llm.wires import LANES

PICK = ToolSchema(
    name="pick",
    description="Picks one.",
    parameters={
        "type": "object",
        "properties": {
            "of": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "string", "format": "date-time", "default": "now"},
            "size": {"type": "integer", "exclusiveMinimum": 0, "format": "int32"},
        },
        "required": ["of"],
        "additionalProperties": False,
    },
)
STOP = ToolSchema(name="stop", description="Ends it.", parameters={"type": "object"})


def history(model: str, *thoughts: Any) -> list[Message]:
    """Return a turn with all that can be in one; `model` made it."""
    calls = [ToolCall(id=f"call_{n}", name="pick", arguments='{"of":["a"]}') for n in (1, 2)]
    results = [
        ToolReturn(call_id="call_1", name="pick", ok=True, output="a", time="now"),
        ToolReturn(call_id="call_2", name="pick", ok=False, output="none", time="now"),
    ]
    parts = [*thoughts, Text(text="I look.")]
    return [
        message("user", [Text(text="See"), image()]),
        message("assistant", parts, calls=calls, model=model),
        message("tool", returns=results),
    ]


def request(config: ModelConfig, *thoughts: Any, **more: Any) -> ModelRequest:
    more = {"tools": [PICK, STOP], "parallel": True, "user": "user-1"} | more
    return asking("Go on", config=config, history=history(config.model, *thoughts), **more)


def configured(provider: str, model: str, **more: Any) -> ModelConfig:
    base: dict[str, Any] = {
        "temperature": 0.5,
        "max_output_tokens": 500,
        "strict": True,
        "reasoning_effort": "low",
    }
    name, _, kind = provider.rpartition(":")
    return ModelConfig(
        handle=f"{name or kind}/{model}",
        model=model,
        provider_type=kind,
        provider_name=name or kind,
        **(base | more),
    )


def chat(config: ModelConfig) -> dict[str, Any]:
    thought = Reasoning(text="Hm.", signature="c2ln")
    choice = ToolChoice(mode="required", name="pick")
    url = BASE_URLS.get(config.provider_name, "http://127.0.0.1:1/v1")
    body = chat_body(request(config, thought, choice=choice), base_url=f"{url}/")
    written: dict[str, Any] = orjson.loads(orjson.dumps(body))
    return written


def different(plain: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return what a body has otherwise than a plain one; null stands for what it lacks."""
    found = {
        name: body.get(name)
        for name in sorted(plain.keys() | body.keys())
        if name not in {"messages", "model", "tools"} and body.get(name) != plain.get(name)
    }
    pairs = zip(plain["messages"], body["messages"], strict=True)
    said_otherwise = {
        f"messages.{place}": _changes(left, right)
        for place, (left, right) in enumerate(pairs)
        if left != right
    }
    tools = [(t["function"]["name"], t["function"].get("strict")) for t in body["tools"]]
    offered = [(t["function"]["name"], t["function"].get("strict")) for t in plain["tools"]]
    return found | said_otherwise | ({} if tools == offered else {"tools": tools})


def _changes(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    names = sorted(left.keys() | right.keys())
    return {name: right.get(name) for name in names if left.get(name) != right.get(name)}


def test_a_plain_server_is_asked_plainly() -> None:
    assert chat(configured("sglang", "any")) == snapshot(
        {
            "model": "any",
            "messages": [
                {"role": "system", "content": "You are a test."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "See"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": "I look.",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "pick", "arguments": '{"of":["a"]}'},
                        },
                        {
                            "id": "call_2",
                            "type": "function",
                            "function": {"name": "pick", "arguments": '{"of":["a"]}'},
                        },
                    ],
                    "reasoning_content": "Hm.",
                    "reasoning_content_signature": "c2ln",
                },
                {
                    "role": "tool",
                    "tool_call_id": "call_1",
                    "content": """\
{
  "status": "OK",
  "message": "a",
  "time": "now"
}\
""",
                },
                {
                    "role": "tool",
                    "tool_call_id": "call_2",
                    "content": """\
{
  "status": "Failed",
  "message": "none",
  "time": "now"
}\
""",
                },
                {"role": "user", "content": "Go on"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 500,
            "temperature": 0.5,
            "reasoning_effort": "low",
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "pick",
                        "description": "Picks one.",
                        "parameters": {
                            "type": "object",
                            "properties": {
                                "of": {"type": "array", "items": {"type": "string"}},
                                "at": {"type": ["string", "null"], "format": "date-time"},
                                "size": {
                                    "type": ["integer", "null"],
                                    "exclusiveMinimum": 0,
                                    "format": "int32",
                                },
                            },
                            "required": ["of", "at", "size"],
                            "additionalProperties": False,
                        },
                        "strict": True,
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "pick"}},
            "parallel_tool_calls": True,
            "user": "user-1",
        }
    )


VENDORS = [
    ("openai", "gpt-4.1-fast"),
    ("azure", "gpt-4.1"),
    ("azure", "o4-mini"),
    ("vllm", "any"),
    ("ollama", "any"),
    ("lmstudio_openai", "any"),
    ("llamacpp:openai", "any"),
    ("together", "any"),
    ("openrouter", "any"),
    ("groq", "any"),
    ("deepseek", "deepseek-reasoner"),
    ("zai", "glm-4.6"),
    ("fireworks", "glm-4p6"),
    ("baseten", "any"),
    ("mistral", "any"),
    ("cerebras", "any"),
    ("xai", "grok-4"),
]


@pytest.mark.rule("P12", "P13", "P14", "P15", "P16", "P17", "P18", "FIX-19", "FIX-72", "X53")
def test_each_vendor_is_asked_in_its_own_way() -> None:
    plain = chat(configured("sglang", "any"))
    asked = {
        f"{provider}/{model}": different(plain, chat(configured(provider, model)))
        for provider, model in VENDORS
    }
    assert asked == snapshot(
        {
            "openai/gpt-4.1-fast": {
                "prompt_cache_retention": "24h",
                "service_tier": "priority",
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
                "tools": [("pick", True), ("stop", True)],
            },
            "azure/gpt-4.1": {
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
                "tools": [("pick", True), ("stop", True)],
            },
            "azure/o4-mini": {
                "max_completion_tokens": 500,
                "max_tokens": None,
                "parallel_tool_calls": None,
                "temperature": None,
                "messages.0": {"role": "developer"},
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
                "tools": [("pick", True), ("stop", True)],
            },
            "vllm/any": {},
            "ollama/any": {"tool_choice": "required"},
            "lmstudio_openai/any": {"tool_choice": "required"},
            "llamacpp:openai/any": {"tool_choice": "required"},
            "together/any": {},
            "openrouter/any": {
                "reasoning": {"effort": "low", "enabled": True},
                "reasoning_effort": None,
                "tool_choice": "required",
                "messages.2": {
                    "reasoning": "Hm.",
                    "reasoning_content": None,
                    "reasoning_content_signature": None,
                    "reasoning_signature": "c2ln",
                },
            },
            "groq/any": {
                "logprobs": False,
                "reasoning_effort": None,
                "tool_choice": "required",
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
            },
            "deepseek/deepseek-reasoner": {
                "reasoning_effort": None,
                "temperature": None,
                "messages.1": {
                    "content": """\
See

[An image is here, which this model cannot see.]\
"""
                },
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
                "tools": [("pick", None)],
            },
            "zai/glm-4.6": {
                "reasoning_effort": None,
                "thinking": {"type": "enabled", "clear_thinking": False},
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
                "tools": [("pick", None)],
            },
            "fireworks/glm-4p6": {
                "reasoning_effort": None,
                "stop": ["<|user|>", "<|observation|>"],
                "thinking": {"type": "enabled"},
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
            },
            "baseten/any": {
                "reasoning_effort": None,
                "thinking": {"type": "enabled"},
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
            },
            "mistral/any": {
                "reasoning_effort": None,
                "stream_options": None,
                "user": None,
                "messages.2": {
                    "reasoning_content": None,
                    "reasoning_content_signature": None,
                    "tool_calls": [
                        {
                            "id": "670bf1b29",
                            "type": "function",
                            "function": {"name": "pick", "arguments": '{"of":["a"]}'},
                        },
                        {
                            "id": "a10efaec4",
                            "type": "function",
                            "function": {"name": "pick", "arguments": '{"of":["a"]}'},
                        },
                    ],
                },
                "messages.3": {"tool_call_id": "670bf1b29"},
                "messages.4": {"tool_call_id": "a10efaec4"},
                "tools": [("pick", None)],
            },
            "cerebras/any": {
                "reasoning_effort": None,
                "messages.1": {
                    "content": """\
See

[An image is here, which this model cannot see.]\
"""
                },
                "messages.2": {"reasoning_content": None, "reasoning_content_signature": None},
            },
            "xai/grok-4": {},
        }
    )


async def _asked(lane: str, request_: ModelRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body and the headers that reach the provider."""
    served = LANES[lane].served()
    owner: ProviderServer = served.__self__  # pyright: ignore[reportFunctionMemberAccess] - a method
    async with LANES[lane].model(served) as model:
        await said(model, request_)
    return owner.requests[0], owner.headers[0]


THOUGHTS: Sequence[Any] = (
    Reasoning(text="Hm.", signature="c2ln"),
    RedactedReasoning(data="b3BhcXVl"),
)


@pytest.mark.anyio
@pytest.mark.rule("P19", "P20", "P23", "P25", "P26", "P29", "FIX-52", "R7")
async def test_anthropic() -> None:
    config = configured("anthropic", "claude-haiku-4-5", max_reasoning_tokens=100)
    body, headers = await _asked("anthropic", request(config, *THOUGHTS))
    assert body == snapshot(
        {
            "max_tokens": 1524,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": "See", "type": "text"},
                        {
                            "source": {"data": "aGk=", "media_type": "image/png", "type": "base64"},
                            "type": "image",
                        },
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"thinking": "Hm.", "signature": "c2ln", "type": "thinking"},
                        {"data": "b3BhcXVl", "type": "redacted_thinking"},
                        {"text": "I look.", "type": "text"},
                        {
                            "id": "call_1",
                            "type": "tool_use",
                            "name": "pick",
                            "input": {"of": ["a"]},
                        },
                        {
                            "id": "call_2",
                            "type": "tool_use",
                            "name": "pick",
                            "input": {"of": ["a"]},
                        },
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "tool_use_id": "call_1",
                            "type": "tool_result",
                            "content": [
                                {
                                    "text": """\
{
  "status": "OK",
  "message": "a",
  "time": "now"
}\
""",
                                    "type": "text",
                                }
                            ],
                            "is_error": False,
                        },
                        {
                            "tool_use_id": "call_2",
                            "type": "tool_result",
                            "content": [
                                {
                                    "text": """\
{
  "status": "Failed",
  "message": "none",
  "time": "now"
}\
""",
                                    "type": "text",
                                }
                            ],
                            "is_error": True,
                        },
                        {
                            "text": "Go on",
                            "type": "text",
                            "cache_control": {"type": "ephemeral", "ttl": "5m"},
                        },
                    ],
                },
            ],
            "model": "claude-haiku-4-5",
            "metadata": {"user_id": "user-1"},
            "stream": True,
            "system": [
                {
                    "type": "text",
                    "text": "You are a test.",
                    "cache_control": {"type": "ephemeral", "ttl": "5m"},
                }
            ],
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": False},
            "tools": [
                {
                    "name": "pick",
                    "description": "Picks one.",
                    "input_schema": {
                        "type": "object",
                        "properties": {
                            "of": {"type": "array", "items": {"type": "string"}},
                            "at": {
                                "type": "string",
                                "format": "date-time",
                                "description": "{default: now}",
                            },
                            "size": {
                                "type": "integer",
                                "description": "{exclusiveMinimum: 0, format: int32}",
                            },
                        },
                        "additionalProperties": False,
                        "required": ["of"],
                    },
                    "strict": True,
                },
                {
                    "name": "stop",
                    "description": "Ends it.",
                    "input_schema": {
                        "type": "object",
                        "properties": {},
                        "additionalProperties": False,
                    },
                    "strict": True,
                    "cache_control": {"type": "ephemeral", "ttl": "5m"},
                },
            ],
            "temperature": 1.0,
        }
    )
    assert headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"


@pytest.mark.anyio
@pytest.mark.rule("P23", "P26")
@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        ("claude-opus-4-6", "max", {"effort": "max"}),
        ("claude-sonnet-4-6", None, {"effort": "medium"}),
        ("claude-opus-4-5", "low", {"effort": "low"}),
        ("claude-haiku-4-5", "low", None),
    ],
)
async def test_anthropics_effort(
    model: str, effort: str | None, sent: dict[str, str] | None
) -> None:
    settings: dict[str, object] = {"effort": effort} if effort else {}
    config = configured("anthropic", model, strict=False, settings=settings)
    body, _ = await _asked("anthropic", request(config))
    assert body.get("output_config") == sent
    adaptive = "-6" in model
    assert body.get("thinking") == ({"type": "adaptive"} if adaptive else None)


@pytest.mark.anyio
@pytest.mark.rule("P29", "P26")
async def test_minimax_speaks_anthropics_wire_without_its_novelties() -> None:
    config = configured("minimax", "MiniMax-M2", max_reasoning_tokens=2_000)
    config = replace(config, context_window=1_000_000)
    body, headers = await _asked("anthropic", request(config, *THOUGHTS))
    assert "anthropic-beta" not in headers
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2_000}
    assert body["max_tokens"] == 2_500


@pytest.mark.anyio
@pytest.mark.rule("P30", "P31", "P33", "agent-10.4")
async def test_google() -> None:
    config = configured("google_ai", "gemini-2.5-pro", max_reasoning_tokens=100, strict=False)
    body, _ = await _asked(
        "google", request(config, Reasoning(text="Hm."), Text(text="", signature="c2Vlbg=="))
    )
    assert body == snapshot(
        {
            "contents": [
                {
                    "parts": [
                        {"text": "See"},
                        {"inlineData": {"data": "aGk=", "mime_type": "image/png"}},
                    ],
                    "role": "user",
                },
                {
                    "parts": [
                        {"text": "Hm.", "thought": True},
                        {"text": "I look."},
                        {
                            "functionCall": {"id": "call_1", "args": {"of": ["a"]}, "name": "pick"},
                            "thoughtSignature": "c2Vlbg==",
                        },
                        {"functionCall": {"id": "call_2", "args": {"of": ["a"]}, "name": "pick"}},
                    ],
                    "role": "model",
                },
                {
                    "parts": [
                        {
                            "functionResponse": {
                                "id": "call_1",
                                "name": "pick",
                                "response": {
                                    "return_value": """\
{
  "status": "OK",
  "message": "a",
  "time": "now"
}\
"""
                                },
                            }
                        },
                        {
                            "functionResponse": {
                                "id": "call_2",
                                "name": "pick",
                                "response": {
                                    "error": """\
{
  "status": "Failed",
  "message": "none",
  "time": "now"
}\
"""
                                },
                            }
                        },
                    ],
                    "role": "user",
                },
                {"parts": [{"text": "I have read the results."}], "role": "model"},
                {"parts": [{"text": "Go on"}], "role": "user"},
            ],
            "systemInstruction": {"parts": [{"text": "You are a test."}], "role": "user"},
            "tools": [
                {
                    "functionDeclarations": [
                        {
                            "description": "Picks one.",
                            "name": "pick",
                            "parameters_json_schema": {
                                "type": "object",
                                "properties": {
                                    "of": {"type": "array", "items": {"type": "string"}},
                                    "at": {
                                        "type": "string",
                                        "description": "Format: date-time",
                                    },
                                    "size": {"type": "integer"},
                                },
                                "required": ["of"],
                            },
                        },
                        {
                            "description": "Ends it.",
                            "name": "stop",
                            "parameters_json_schema": {"type": "object"},
                        },
                    ]
                }
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
            "generationConfig": {
                "temperature": 0.5,
                "maxOutputTokens": 500,
                "responseModalities": ["TEXT"],
                "thinkingConfig": {"include_thoughts": True, "thinking_budget": 128},
            },
        }
    )


@pytest.mark.anyio
@pytest.mark.rule("FIX-53", "P33")
@pytest.mark.parametrize(
    ("model", "on", "sent"),
    [
        ("gemini-2.5-flash", False, {"thinking_budget": 0}),
        ("gemini-2.5-flash", True, {"include_thoughts": True, "thinking_budget": 2_000}),
        ("gemini-3-pro-preview", True, {"include_thoughts": True}),
    ],
)
async def test_googles_thinking(model: str, on: bool, sent: dict[str, object]) -> None:
    config = configured("google_ai", model, enable_reasoner=on, max_reasoning_tokens=2_000)
    body, _ = await _asked("google", request(config))
    assert body["generationConfig"]["thinkingConfig"] == sent


@pytest.mark.anyio
@pytest.mark.rule("R13", "agent-10.4")
@pytest.mark.parametrize("made_by", [None, "gemini-2.5-pro", "claude-x"])
async def test_a_signature_of_google_goes_to_google_alone(made_by: str | None) -> None:
    config = configured("google_ai", "gemini-2.5-pro")
    told = message("assistant", [Text(text="Yes.", signature="c2Vlbg==")], model=made_by)
    body, _ = await _asked(
        "google", asking("Go on", config=config, history=[message("user", "So?"), told])
    )
    part = body["contents"][1]["parts"][0]
    signed = {"thoughtSignature": "c2Vlbg=="} if made_by != "claude-x" else {}
    assert part == {"text": "Yes."} | signed


@pytest.mark.anyio
@pytest.mark.rule("P15", "R11", "R12", "FIX-49")
async def test_responses() -> None:
    config = configured("openai", "gpt-5.1-fast", settings={"verbosity": "low"})
    thought = SummarizedReasoning(id="rs_1", summary=("Hm.", "So."), encrypted="c2VhbGVk")
    body, _ = await _asked("responses", request(config, thought))
    assert body == snapshot(
        {
            "model": "gpt-5.1",
            "stream": True,
            "service_tier": "priority",
            "include": ["reasoning.encrypted_content"],
            "input": [
                {"role": "developer", "content": "You are a test."},
                {
                    "role": "user",
                    "content": [
                        {"text": "See", "type": "input_text"},
                        {
                            "image_url": "data:image/png;base64,aGk=",
                            "type": "input_image",
                            "detail": "auto",
                        },
                    ],
                },
                {
                    "id": "rs_1",
                    "summary": [
                        {"text": "Hm.", "type": "summary_text"},
                        {"text": "So.", "type": "summary_text"},
                    ],
                    "encrypted_content": "c2VhbGVk",
                    "type": "reasoning",
                },
                {"role": "assistant", "content": "I look."},
                {
                    "name": "pick",
                    "arguments": '{"of":["a"]}',
                    "call_id": "call_1",
                    "type": "function_call",
                },
                {
                    "name": "pick",
                    "arguments": '{"of":["a"]}',
                    "call_id": "call_2",
                    "type": "function_call",
                },
                {
                    "type": "function_call_output",
                    "call_id": "call_1",
                    "output": """\
{
  "status": "OK",
  "message": "a",
  "time": "now"
}\
""",
                },
                {
                    "type": "function_call_output",
                    "call_id": "call_2",
                    "output": """\
{
  "status": "Failed",
  "message": "none",
  "time": "now"
}\
""",
                },
                {"role": "user", "content": "Go on"},
            ],
            "max_output_tokens": 500,
            "parallel_tool_calls": True,
            "prompt_cache_retention": "24h",
            "reasoning": {"effort": "low", "summary": "detailed"},
            "store": False,
            "text": {"verbosity": "low"},
            "tool_choice": "auto",
            "tools": [
                {
                    "name": "pick",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "of": {"type": "array", "items": {"type": "string"}},
                            "at": {"type": ["string", "null"], "format": "date-time"},
                            "size": {
                                "type": ["integer", "null"],
                                "exclusiveMinimum": 0,
                                "description": "format=int32",
                            },
                        },
                        "required": ["of", "at", "size"],
                        "additionalProperties": False,
                    },
                    "type": "function",
                    "description": "Picks one.",
                    "strict": True,
                },
                {
                    "name": "stop",
                    "parameters": {
                        "type": "object",
                        "properties": {},
                        "additionalProperties": False,
                        "required": [],
                    },
                    "type": "function",
                    "description": "Ends it.",
                    "strict": True,
                },
            ],
            "user": "user-1",
        }
    )
