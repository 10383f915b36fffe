"""A run is one answer of an agent to one request; a step is one model call of it and its tools."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never

from eunoe.domain.messages import Json
from eunoe.domain.overheard import Overheard
from eunoe.domain.skills import Skill
from eunoe.domain.tokens import Tokens, TokensWanted
from eunoe.domain.tools import ToolSchema

RunStatus: TypeAlias = Literal["created", "running", "completed", "failed", "cancelled"]
StepStatus: TypeAlias = Literal["pending", "success", "failed", "cancelled"]
StopReason: TypeAlias = Literal[
    "end_turn", "max_steps", "tool_rule", "requires_approval", "error", "llm_api_error",
    "invalid_llm_response", "invalid_tool_call", "no_tool_call", "max_tokens_exceeded",
    "context_window_overflow_in_system_prompt", "insufficient_credits", "cancelled",
]  # fmt: skip
Busy: TypeAlias = Literal["reject", "queue", "interrupt"]
"""What becomes of a message to a list at work: refused, next in line, or in the run's place."""
DEFAULT_MAX_STEPS: Final = 50
ACTIVE: Final = ("created", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one or several model calls. Null means never reported, 0 reported as 0.

    `prompt_tokens` includes cached tokens whatever the provider calls them.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nanos: int | None = None
    """In billionths of a dollar, as it was when the call was made; null is not known."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            cached_input_tokens=_sum(self.cached_input_tokens, other.cached_input_tokens),
            cache_write_tokens=_sum(self.cache_write_tokens, other.cache_write_tokens),
            reasoning_tokens=_sum(self.reasoning_tokens, other.reasoning_tokens),
            cost_nanos=_sum(self.cost_nanos, other.cost_nanos),
        )


def _sum(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return left if right is None else right
    return left + right


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the request asked for, kept with the run so that any process can go on with it."""

    max_steps: int = DEFAULT_MAX_STEPS
    stream_tokens: bool = False
    override_model: str | None = None
    override_system: str | None = None
    include_compaction: bool = False
    return_types: tuple[str, ...] | None = None
    use_assistant_message: bool = True
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"
    callback_url: str | None = None
    client_tools: tuple[ToolSchema, ...] = ()
    """Tools that run on the client, for this request only (H18)."""
    client_skills: tuple[Skill, ...] = ()
    """Skills that the client has, told of in this request only (L20)."""
    group_id: str | None = None
    """The group in which all of this is said (G3)."""
    turn: int | None = None
    """How many turns of a round its members have had with this one; null outside of rounds."""
    callers: tuple[str, ...] = ()
    """The agents that wait for this run's answer, each for the next, the first of all first."""
    depth: int = 0
    """How many agents have passed the matter on, whether they wait or not."""
    tokens: TokensWanted | None = None
    """What is to be told of the tokens of each reply, null for nothing."""
    overheard: Overheard | None = None
    """What left another agent's view, for a run that keeps it."""
    traceparent: str | None = None
    """The span in which it was asked for, as W3C writes it, where spans are collected."""
    request_id: str | None = None
    """What its caller calls the request in logs of its own."""
    aloud: bool = False
    """Whether the answer is spoken: plain text, whatever the agent speaks through elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledBack:
    """What the newest attempt came to to tell the caller's URL of an end (G-20)."""

    at: datetime
    status_code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`list_id` is the message list it works on: the conversation, else the agent itself.

    One that waits for that list to be free has its own id there meanwhile, which nobody claims.
    """

    id: str
    agent_id: str
    list_id: str
    conversation_id: str | None = None
    status: RunStatus = "created"
    stop_reason: StopReason | None = None
    background: bool = False
    options: RunOptions = field(default_factory=RunOptions)
    metadata: Json = field(default_factory=dict[str, object])
    fence: int = 0
    usage: Usage = field(default_factory=Usage)
    step_count: int = 0
    context_tokens: int | None = None
    created_at: datetime
    completed_at: datetime | None = None
    ttft_ns: int | None = None
    total_duration_ns: int | None = None
    cancel_requested: bool = False
    told_tokens: tuple[tuple[str, Tokens], ...] = ()
    """What was told of its replies' tokens, by their messages' ids, since this owner has it; it
    is not stored."""
    called_back: CalledBack | None = None
    bounded: bool = False
    """Whether budgets are to be looked at before it goes on; it is not stored."""

    @property
    def started_ns(self) -> int:
        """When it was asked for, in nanoseconds of Unix time, exact to the microsecond."""
        return int(self.created_at.timestamp() * 1_000_000) * 1_000

    @property
    def waits(self) -> bool:
        return self.list_id == self.id and not is_terminal(self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    id: str
    run_id: str | None
    agent_id: str
    status: StepStatus = "pending"
    stop_reason: StopReason | None = None
    provider_name: str | None = None
    provider_category: str | None = None
    model: str | None = None
    model_handle: str | None = None
    model_endpoint: str | None = None
    context_window_limit: int | None = None
    usage: Usage = field(default_factory=Usage)
    error_type: str | None = None
    error_data: Json | None = None
    feedback: str | None = None
    tags: tuple[str, ...] = ()
    trace_id: str | None = None
    request_id: str | None = None
    tid: str | None = None
    started_ns: int | None = None
    llm_started_ns: int | None = None
    llm_ns: int | None = None
    tools_ns: int | None = None
    total_ns: int | None = None
    created_at: datetime


def status_of(reason: StopReason) -> RunStatus:
    """Return the status of a run that stopped for `reason` (streaming 4.2)."""
    match reason:
        case "end_turn" | "max_steps" | "tool_rule" | "requires_approval":
            return "completed"
        case "cancelled":
            return "cancelled"
        case (
            "error"
            | "llm_api_error"
            | "invalid_llm_response"
            | "invalid_tool_call"
            | "no_tool_call"
            | "max_tokens_exceeded"
            | "context_window_overflow_in_system_prompt"
            | "insufficient_credits"
        ):
            return "failed"
        case _:
            assert_never(reason)


def is_terminal(status: RunStatus) -> bool:
    return status not in ACTIVE


def finished(run: Run, *, reason: StopReason, at: datetime, duration_ns: int) -> Run:
    """Return the run ended for `reason` at `at`, after `duration_ns`."""
    return replace(
        run,
        status=status_of(reason),
        stop_reason=reason,
        completed_at=at,
        total_duration_ns=duration_ns,
    )
