"""Golden requests of chat completions: what each vendor is asked otherwise (P12 to P18)."""

from typing import Any

import orjson
import pytest
from inline_snapshot import snapshot

from eunoe.domain.messages import Reasoning
from eunoe.domain.models import ModelConfig
from eunoe.engine.ports import ToolChoice
from eunoe.llm.chat_request import chat_body
from eunoe.llm.providers import BASE_URLS
from tests.llm.golden import configured, request


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
                                    "description": "format=int32",
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
