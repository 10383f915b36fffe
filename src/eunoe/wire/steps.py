"""Steps as the wire shows them (api 19.4)."""

from typing import Literal

from typing_extensions import TypedDict

from eunoe.domain import provider_traces, runs
from eunoe.domain.messages import Json
from eunoe.domain.runs import StepStatus, StopReason
from eunoe.wire.runs import RunUsage, shown_usage
from eunoe.wire.shape import Shape, shown_as


class Step(RunUsage):
    id: str
    origin: str | None
    organization_id: str
    provider_id: str | None
    run_id: str | None
    agent_id: str | None
    provider_name: str | None
    provider_category: str | None
    model: str | None
    model_handle: str | None
    model_endpoint: str | None
    context_window_limit: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    stop_reason: StopReason | None
    tags: list[str]
    tid: str | None
    trace_id: str | None
    request_id: str | None
    messages: list[Json]
    feedback: str | None
    project_id: str | None
    error_type: str | None
    error_data: Json | None
    status: StepStatus


class StepMetrics(TypedDict):
    id: str
    organization_id: str
    provider_id: str | None
    run_id: str | None
    agent_id: str | None
    step_start_ns: int | None
    llm_request_start_ns: int | None
    llm_request_ns: int | None
    tool_execution_ns: int | None
    step_ns: int | None
    base_template_id: str | None
    template_id: str | None
    project_id: str | None


class ProviderTrace(TypedDict):
    id: str
    request_json: Json
    response_json: Json
    step_id: str
    agent_id: str | None
    call_type: Literal["agent_step"]
    run_id: str | None
    org_id: str
    latency_ms: int
    created_at: str


class ModifyFeedbackRequest(Shape):
    """Null feedback clears it; tags replace those there are when any are given."""

    feedback: Literal["positive", "negative"] | None = None
    tags: list[str] | None = None


def shown(step: runs.Step, *, organization_id: str) -> Step:
    usage = step.usage
    return shown_as(
        Step,
        step,
        **shown_usage(usage),
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        organization_id=organization_id,
        messages=[],
        origin=None,
        provider_id=None,
        project_id=None,
    )


def shown_metrics(step: runs.Step, *, organization_id: str) -> StepMetrics:
    unsaid = ("provider_id", "base_template_id", "template_id", "project_id")
    return shown_as(
        StepMetrics,
        step,
        organization_id=organization_id,
        step_start_ns=step.started_ns,
        llm_request_start_ns=step.llm_started_ns,
        llm_request_ns=step.llm_ns,
        tool_execution_ns=step.tools_ns,
        step_ns=step.total_ns,
        **dict.fromkeys(unsaid),
    )


def shown_trace(trace: provider_traces.ProviderTrace, *, organization_id: str) -> ProviderTrace:
    return shown_as(
        ProviderTrace,
        trace,
        request_json=trace.request,
        response_json=trace.response,
        call_type="agent_step",
        org_id=organization_id,
    )
