"""Which stop reason and error type a failure has, the same before and after the first byte."""

from typing import Final

from eunoe.domain.events import Ending, Failed
from eunoe.domain.runs import StopReason
from eunoe.errors import (
    BedrockPermissionDenied,
    ContextOverflow,
    DatabaseUnreachable,
    DiskFull,
    EunoeError,
    FenceLost,
    ModelCalledNothing,
    ModelCreditExhausted,
    ModelError,
    ModelKeyRefused,
    ModelRateLimited,
    ModelReplyEmpty,
    ModelReplyInvalid,
    ModelTimedOut,
    RunAbandoned,
    SystemPromptTooLarge,
    WriteConflict,
)

REFUSALS: Final = (FenceLost, DatabaseUnreachable, DiskFull, WriteConflict)
"""What the store refuses with: such a run has not ended, and goes on from what is stored."""

# The first class that fits decides (streaming 9.3).
_TABLE: Final[tuple[tuple[type[ModelError], str, StopReason], ...]] = (
    (ModelTimedOut, "llm_timeout", "llm_api_error"),
    (ModelRateLimited, "llm_rate_limit", "llm_api_error"),
    (ModelKeyRefused, "llm_authentication", "llm_api_error"),
    (ModelCreditExhausted, "llm_error", "llm_api_error"),
    (ModelReplyEmpty, "llm_empty_response", "invalid_llm_response"),
    (ModelReplyInvalid, "llm_error", "invalid_llm_response"),
    (ModelCalledNothing, "llm_error", "no_tool_call"),
    (
        SystemPromptTooLarge,
        "context_window_overflow_in_system_prompt",
        "context_window_overflow_in_system_prompt",
    ),
    (ContextOverflow, "internal_error", "error"),
    (BedrockPermissionDenied, "internal_error", "error"),
)
_OTHER_MODEL: Final[tuple[str, StopReason]] = ("llm_error", "llm_api_error")
_OURS: Final[tuple[str, StopReason]] = ("internal_error", "error")


def ending_of(error: EunoeError, *, run_id: str) -> Ending:
    """Return how a run ends that `error` stopped."""
    error_type, reason = _OTHER_MODEL if isinstance(error, ModelError) else _OURS
    for cls, listed_type, listed_reason in _TABLE:
        if isinstance(error, cls):
            error_type, reason = listed_type, listed_reason
            break
    return Ending(
        reason=reason,
        error=Failed(run_id=run_id, error_type=error_type, code=error.code, message=str(error)),
    )


def crash_ending(*, run_id: str) -> Ending:
    """Return how a run ends that a fault of ours stopped; the log has the cause."""
    error = EunoeError()
    return ending_of(error, run_id=run_id)


def restart_ending(*, run_id: str) -> Ending:
    """Return how a run ends that its owners kept dying of (G-1)."""
    error = RunAbandoned()
    failed = Failed(run_id=run_id, error_type="server_restart", code=error.code, message=str(error))
    return Ending(reason="error", error=failed)
