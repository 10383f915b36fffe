"""Runs as the wire shows them (api 19.1)."""

from collections.abc import Mapping
from typing import Literal

from typing_extensions import TypedDict

from eunoe.domain import runs
from eunoe.domain.costs import usd
from eunoe.domain.messages import Json
from eunoe.domain.runs import CalledBack, RunStatus, StopReason, Usage
from eunoe.domain.spans import Span
from eunoe.wire.shape import shown_as
from eunoe.wire.times import entity_time


class LettaRequestConfig(TypedDict):
    use_assistant_message: bool
    assistant_message_tool_name: str
    assistant_message_tool_kwarg: str
    include_return_message_types: list[str] | None


class Callback(TypedDict):
    callback_sent_at: str | None
    callback_status_code: int | None
    callback_error: str | None


class Run(Callback):
    id: str
    status: RunStatus
    created_at: str
    completed_at: str | None
    agent_id: str
    conversation_id: str | None
    base_template_id: str | None
    background: bool
    metadata: Json
    request_config: LettaRequestConfig
    stop_reason: StopReason | None
    callback_url: str | None
    ttft_ns: int | None
    total_duration_ns: int | None


class RunMetrics(TypedDict):
    id: str
    organization_id: str
    agent_id: str
    project_id: str | None
    run_start_ns: int
    run_ns: int | None
    num_steps: int
    tools_used: list[str]
    template_id: str | None
    base_template_id: str | None


class RunSpan(TypedDict):
    """A span, its fields named as OpenTelemetry's are; `end_time_unix_nano` is null until then."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    start_time_unix_nano: int
    end_time_unix_nano: int | None
    duration_ns: int | None
    status: Literal["ok", "error", "unset"]
    attributes: Mapping[str, object]


class UsageStatisticsPromptTokenDetails(TypedDict):
    cached_tokens: int | None
    cache_read_tokens: int | None
    cache_creation_tokens: int | None


class UsageStatisticsCompletionTokenDetails(TypedDict):
    reasoning_tokens: int | None


class RunUsage(TypedDict):
    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    prompt_tokens_details: UsageStatisticsPromptTokenDetails | None
    completion_tokens_details: UsageStatisticsCompletionTokenDetails | None
    cost_usd: float | None


def shown(run: runs.Run) -> Run:
    options = run.options
    return shown_as(
        Run,
        run,
        base_template_id=None,
        request_config=shown_as(
            LettaRequestConfig, options, include_return_message_types=options.return_types
        ),
        callback_url=options.callback_url,
        **shown_callback(run.called_back),
    )


def shown_callback(told: CalledBack | None) -> Callback:
    """Return what came of telling the caller's URL, nulls before the first attempt (api 8.8)."""
    if told is None:
        return {"callback_sent_at": None, "callback_status_code": None, "callback_error": None}
    return {
        "callback_sent_at": entity_time(told.at),
        "callback_status_code": told.status_code,
        "callback_error": told.error,
    }


def shown_usage(usage: Usage) -> RunUsage:
    """Return tokens in the OpenAI manner, with the details that the provider reported (G-18)."""
    return {
        "completion_tokens": usage.completion_tokens,
        "prompt_tokens": usage.prompt_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": _prompt_details(usage),
        "completion_tokens_details": _completion_details(usage),
        "cost_usd": usd(usage.cost_nanos),
    }


def _prompt_details(usage: Usage) -> UsageStatisticsPromptTokenDetails | None:
    if usage.cached_input_tokens is None and usage.cache_write_tokens is None:
        return None
    return {
        "cached_tokens": usage.cached_input_tokens,
        "cache_read_tokens": usage.cached_input_tokens,
        "cache_creation_tokens": usage.cache_write_tokens,
    }


def _completion_details(usage: Usage) -> UsageStatisticsCompletionTokenDetails | None:
    if usage.reasoning_tokens is None:
        return None
    return {"reasoning_tokens": usage.reasoning_tokens}


def shown_metrics(run: runs.Run, *, organization_id: str, tools_used: list[str]) -> RunMetrics:
    """Return a run's times; `tools_used` holds tool ids (streaming 4.4)."""
    return shown_as(
        RunMetrics,
        run,
        organization_id=organization_id,
        run_start_ns=run.started_ns,
        run_ns=run.total_duration_ns,
        num_steps=run.step_count,
        tools_used=tools_used,
        **dict.fromkeys(("project_id", "template_id", "base_template_id")),
    )


def shown_span(span: Span, *, trace_id: str) -> RunSpan:
    ended_ns = None if span.duration_ns is None else span.started_ns + span.duration_ns
    return {
        "trace_id": trace_id,
        "span_id": span.id,
        "parent_span_id": span.parent_id,
        "name": span.name,
        "start_time_unix_nano": span.started_ns,
        "end_time_unix_nano": ended_ns,
        "duration_ns": span.duration_ns,
        "status": "error" if span.failed else "unset" if ended_ns is None else "ok",
        "attributes": span.attributes,
    }
