"""Golden requests of Gemini and of OpenAI's Responses (P30 to P34, R11)."""

import pytest
from inline_snapshot import snapshot

from eunoe.domain.messages import Reasoning, SummarizedReasoning, Text
from tests.llm.golden import asked, configured, request
from tests.llm.talk import asking, message

pytestmark = pytest.mark.anyio


@pytest.mark.rule("P30", "P31", "P33", "agent-10.4")
async def test_google() -> None:
    config = configured("google_ai", "gemini-2.5-pro", max_reasoning_tokens=100, strict=False)
    body, _ = await asked(
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
                                    "at": {"type": "string", "description": "Format: date-time"},
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
    body, _ = await asked("google", request(config))
    assert body["generationConfig"]["thinkingConfig"] == sent


@pytest.mark.rule("R13", "agent-10.4")
@pytest.mark.parametrize("made_by", [None, "gemini-2.5-pro", "claude-x"])
async def test_a_signature_of_google_goes_to_google_alone(made_by: str | None) -> None:
    config = configured("google_ai", "gemini-2.5-pro")
    told = message("assistant", [Text(text="Yes.", signature="c2Vlbg==")], model=made_by)
    body, _ = await asked(
        "google", asking("Go on", config=config, history=[message("user", "So?"), told])
    )
    part = body["contents"][1]["parts"][0]
    signed = {"thoughtSignature": "c2Vlbg=="} if made_by != "claude-x" else {}
    assert part == {"text": "Yes."} | signed


@pytest.mark.rule("P15", "R11", "R12", "FIX-49")
async def test_responses() -> None:
    config = configured("openai", "gpt-5.1-fast", settings={"verbosity": "low"})
    thought = SummarizedReasoning(id="rs_1", summary=("Hm.", "So."), encrypted="c2VhbGVk")
    body, _ = await asked("responses", request(config, thought))
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
