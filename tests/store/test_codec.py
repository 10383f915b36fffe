"""What stored rows leave out is what was usual when they were written."""

from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints

from eunoe.domain.messages import Message
from eunoe.domain.runs import RunOptions, Step, Usage

USUAL: dict[str, dict[str, Any]] = {
    "RunOptions": {
        "max_steps": 50,
        "stream_tokens": False,
        "override_model": None,
        "override_system": None,
        "include_compaction": False,
        "return_types": None,
        "use_assistant_message": True,
        "assistant_message_tool_name": "send_message",
        "assistant_message_tool_kwarg": "message",
        "callback_url": None,
        "client_tools": (),
        "client_skills": (),
        "group_id": None,
        "turn": None,
        "callers": (),
        "depth": 0,
        "tokens": None,
        "overheard": None,
        "traceparent": None,
        "request_id": None,
        "aloud": False,
    },
    "Usage": {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "cached_input_tokens": None,
        "cache_write_tokens": None,
        "reasoning_tokens": None,
        "cost_nanos": None,
    },
    "Step": {
        "status": "pending",
        "stop_reason": None,
        "provider_name": None,
        "provider_category": None,
        "model": None,
        "model_handle": None,
        "model_endpoint": None,
        "context_window_limit": None,
        "usage": Usage(),
        "error_type": None,
        "error_data": None,
        "feedback": None,
        "tags": (),
        "trace_id": None,
        "request_id": None,
        "tid": None,
        "started_ns": None,
        "llm_started_ns": None,
        "llm_ns": None,
        "tools_ns": None,
        "total_ns": None,
    },
    "Text": {"signature": None, "type": "text"},
    "Image": {"detail": None, "type": "image"},
    "Reasoning": {"signature": None, "native": True, "type": "reasoning"},
    "RedactedReasoning": {"type": "redacted_reasoning"},
    "OmittedReasoning": {"signature": None, "type": "omitted_reasoning"},
    "SummarizedReasoning": {"summary": (), "encrypted": None, "type": "summarized_reasoning"},
    "ToolCall": {"by_client": False, "heartbeat": None, "thinking": None},
    "ToolReturn": {"stdout": (), "stderr": (), "parts": ()},
    "Decision": {"reason": None, "type": "approval"},
    "ClientReturn": {"stdout": (), "stderr": (), "parts": (), "type": "tool"},
}


def kinds() -> list[type[Any]]:
    """Return the types of which only what is unusual is stored."""
    parts = get_type_hints(Message)
    listed = [get_args(parts[name])[0] for name in ("content", "calls", "returns", "approvals")]
    return [RunOptions, Usage, Step, *(kind for one in listed for kind in get_args(one) or [one])]


def usual(kind: type[Any]) -> dict[str, Any]:
    said = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory()
        for one in fields(kind)
    }
    return {name: value for name, value in said.items() if value is not MISSING}


def test_what_is_left_out_means_for_ever_what_it_meant() -> None:
    """A new field may be added here; what is here may change only with a migration of the rows."""
    assert {kind.__name__: usual(kind) for kind in kinds()} == USUAL
