"""Everything a model can say and everything a run can say.

The event log, every stream, every blocking reply and the tests speak `RunEvent`;
one of them is one frame of a stream, so its place in the log is its `seq_id`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from eunoe.domain.messages import Json
from eunoe.domain.runs import StopReason, Usage
from eunoe.domain.tokens import Tokens
from eunoe.domain.views import View

# What a model says while it answers


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """`signature` comes with the last delta of a signed part, whose text may be empty."""

    text: str
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta:
    """`signature` comes with the last delta of a signed part, and closes it."""

    text: str = ""
    signature: str | None = None
    native: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningHidden:
    """Reasoning that the provider keeps to itself: an opaque `data`, or nothing at all."""

    state: Literal["redacted", "omitted"]
    data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryDelta:
    """A piece of a summary while it is written; the whole `ReasoningSummary` follows."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningSummary:
    """A whole summarised reasoning item, as the provider wants it back."""

    id: str
    summary: tuple[str, ...]
    encrypted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDelta:
    """A fragment of the call at `index`; `id` and `name` come with or before the arguments."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReported:
    usage: Usage


FinishReason: TypeAlias = Literal["stop", "tool_calls", "length", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The provider's own word that the reply is whole. A reply without it is not used (G-15)."""

    reason: FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensTold:
    """The tokens of the reply, where they were asked for and the provider tells them."""

    tokens: Tokens


ModelEvent: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | ReasoningHidden
    | SummaryDelta
    | ReasoningSummary
    | CallDelta
    | UsageReported
    | TokensTold
    | Finished
)

# What a run says


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The first event of a run: hands out its id at once (streaming 2.14.1)."""

    run_id: str
    ping_id: str
    at: str
    type: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A view, whole or a fragment of one."""

    view: View
    type: Literal["shown"] = "shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacting:
    """The window is about to be made smaller (streaming 2.12)."""

    id: str
    at: str
    run_id: str | None
    trigger: str
    context_token_estimate: int | None
    context_window: int
    type: Literal["compacting"] = "compacting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    reason: StopReason
    type: Literal["stopped"] = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    usage: Usage
    step_count: int
    context_tokens: int | None
    run_ids: tuple[str, ...] | None = None
    logprobs: Json | None = None
    """Of the last reply, as `Tokens` has them."""
    turns: tuple[Json, ...] | None = None
    type: Literal["used"] = "used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why the run failed. `code` is the stable code of the error that caused it."""

    run_id: str
    error_type: str
    code: str
    message: str
    detail: str | None = None
    type: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The terminator; nothing follows it (G-8)."""

    type: Literal["ended"] = "ended"


RunEvent: TypeAlias = Started | Shown | Compacting | Stopped | Used | Failed | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ends: the reason and, where it failed, the error as it goes on record."""

    reason: StopReason
    error: Failed | None = None


def metadata_of(failed: Failed) -> Json:
    """Return a failure as it stands in a run's `metadata.error`."""
    return {
        "message_type": "error_message",
        "run_id": failed.run_id,
        "error_type": failed.error_type,
        "message": failed.message,
        "detail": failed.detail,
    }
