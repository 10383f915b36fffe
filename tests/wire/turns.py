"""What a step makes, as the shared functions make it, and what is in it."""

import json
from typing import Any

from eunoe.domain.messages import Text
from eunoe.domain.tools import ToolResult
from eunoe.http.seed import create_letta_messages_from_llm_response
from eunoe.wire.seed_records import CallRecord, Record
from tests.wire.said import AGENT, RUN, STEP

ZONE = "Europe/Rome"


def step(**changes: Any) -> list[Record]:
    """Return what one step with a call makes; `changes` are what is special about it."""
    given: dict[str, Any] = {
        "agent_id": AGENT,
        "model": "m",
        "function_name": "look",
        "function_arguments": {"at": "it"},
        "tool_execution_result": ToolResult(ok=True, output="seen", stdout=("out",)),
        "tool_call_id": "call_1",
        "function_call_success": True,
        "function_response": "seen",
        "timezone": ZONE,
        "actor": None,
        "run_id": RUN,
        "step_id": STEP,
        "llm_batch_item_id": "batch-1",
    }
    return create_letta_messages_from_llm_response(**{**given, **changes})


def call_of(record: Record) -> CallRecord:
    assert record.tool_calls is not None
    (call,) = record.tool_calls
    return call


def arguments(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call_of(record).function.arguments)
    return found


def packed(record: Record) -> dict[str, Any]:
    (part,) = record.content
    assert isinstance(part, Text)
    found: dict[str, Any] = json.loads(part.text)
    return found


def is_now(text: str, zone: str = "+0") -> bool:
    return text[-5:].startswith(zone) and text.startswith("20")
