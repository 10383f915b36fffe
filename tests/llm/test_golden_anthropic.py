"""Golden requests on Anthropic's wire (P19 to P29)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from inline_snapshot import snapshot

from eunoe.domain.messages import Reasoning, RedactedReasoning
from tests.llm.golden import asked, configured, request

pytestmark = pytest.mark.anyio
THOUGHTS: Sequence[Any] = (
    Reasoning(text="Hm.", signature="c2ln"),
    RedactedReasoning(data="b3BhcXVl"),
)


@pytest.mark.rule("P19", "P20", "P23", "P25", "P26", "P29", "FIX-52", "R7")
async def test_anthropic() -> None:
    config = configured("anthropic", "claude-haiku-4-5", max_reasoning_tokens=100)
    body, headers = await asked("anthropic", request(config, *THOUGHTS))
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
    body, _ = await asked("anthropic", request(config))
    assert body.get("output_config") == sent
    adaptive = "-6" in model
    assert body.get("thinking") == ({"type": "adaptive"} if adaptive else None)


@pytest.mark.rule("P29", "P26")
async def test_minimax_speaks_anthropics_wire_without_its_novelties() -> None:
    config = configured("minimax", "MiniMax-M2", max_reasoning_tokens=2_000)
    config = replace(config, context_window=1_000_000)
    body, headers = await asked("anthropic", request(config, *THOUGHTS))
    assert "anthropic-beta" not in headers
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2_000}
    assert body["max_tokens"] == 2_500
