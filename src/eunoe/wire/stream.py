"""Events of a run as the wire shows them, and the answer they add up to (streaming 2, 3)."""

from datetime import datetime
from typing import Literal, TypeAlias, assert_never

from typing_extensions import TypedDict

from eunoe.domain.costs import usd
from eunoe.domain.events import (
    Compacting,
    Ended,
    Failed,
    RunEvent,
    Shown,
    Started,
    Stopped,
    Used,
    metadata_of,
)
from eunoe.domain.messages import Json
from eunoe.domain.runs import StopReason
from eunoe.domain.views import Summarised
from eunoe.runs.outcome import Outcome
from eunoe.wire.messages import Lens, MessageFields, WireMessage, bodies
from eunoe.wire.shape import shown_as
from eunoe.wire.times import message_date


class WireStopReason(TypedDict):
    message_type: Literal["stop_reason"]
    stop_reason: StopReason


class UsageStatistics(TypedDict):
    message_type: Literal["usage_statistics"]
    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    step_count: int
    run_ids: list[str] | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    context_tokens: int | None
    cost_usd: float | None


class Ping(MessageFields):
    message_type: Literal["ping"]


class ErrorMessage(TypedDict):
    message_type: Literal["error_message"]
    run_id: str
    error_type: str
    message: str
    detail: str | None
    seq_id: int | None


StreamEvent: TypeAlias = WireMessage | Ping | ErrorMessage | WireStopReason | UsageStatistics
"""The data of one event of a run's stream."""


class LettaResponse(TypedDict):
    messages: list[WireMessage]
    stop_reason: WireStopReason
    usage: UsageStatistics
    logprobs: Json | None
    turns: list[Json] | None


def chunks(event: RunEvent, lens: Lens, *, seq: int, pings: bool) -> list[Json]:
    """Return the chunks of one event: none where the reader did not ask for it.

    A failure is one chunk too; how it is framed, and the terminator, are http's.
    """
    match event:
        case Shown(view=view):
            made = list(bodies(view, lens, seq=seq))
        case Started():
            alive = ping(event.ping_id, at=event.at, run_id=event.run_id, seq=seq)
            made = [alive] if pings else []
        case Compacting():
            made = [_compacting(event, seq=seq)] if lens.summaries else []
        case Stopped(reason=reason):
            made = [{**stop_reason(reason)}]
        case Used():
            made = [{**usage(event)}]
        case Failed():
            made = [failure(event, seq=seq)]
        case Ended():
            made = []
        case _:
            assert_never(event)
    return made


def ping(ping_id: str, *, at: str, run_id: str | None, seq: int | None) -> Json:
    """Return a sign of life that also hands out the run's id (streaming 2.14); `at` is ISO."""
    return {
        "id": ping_id,
        "date": message_date(datetime.fromisoformat(at)),
        "name": None,
        "message_type": "ping",
        "otid": None,
        "sender_id": None,
        "step_id": None,
        "is_err": None,
        "seq_id": seq,
        "run_id": run_id,
    }


def stop_reason(reason: StopReason) -> WireStopReason:
    return {"message_type": "stop_reason", "stop_reason": reason}


def usage(used: Used) -> UsageStatistics:
    """Return a run's usage; null means that the provider never reported it (streaming 3.2)."""
    return shown_as(
        UsageStatistics,
        used.usage,
        message_type="usage_statistics",
        step_count=used.step_count,
        run_ids=used.run_ids,
        context_tokens=used.context_tokens,
        cost_usd=usd(used.usage.cost_nanos),
    )


def failure(failed: Failed, *, seq: int | None) -> Json:
    return {**metadata_of(failed), "seq_id": seq}


def _compacting(event: Compacting, *, seq: int | None) -> Json:
    return {
        **ping(event.id, at=event.at, run_id=event.run_id, seq=seq),
        "message_type": "event_message",
        "event_type": "compaction",
        "event_data": {
            "trigger": event.trigger,
            "context_token_estimate": event.context_token_estimate,
            "context_window": event.context_window,
        },
    }


def answer(outcome: Outcome, lens: Lens) -> Json:
    """Return the whole reply of a blocking send (streaming 3.1).

    A compaction's event stands before the summary that it came to.
    """
    said: list[Json] = []
    used = outcome.used
    waiting = list(outcome.compactions) if lens.summaries else []
    for view in outcome.views:
        if waiting and isinstance(view.body, Summarised):
            said.append(_compacting(waiting.pop(0), seq=None))
        said.extend(bodies(view, lens))
    return {
        "messages": said,
        "stop_reason": stop_reason(outcome.reason),
        "usage": usage(used),
        "logprobs": used.logprobs,
        "turns": None if used.turns is None else list(used.turns),
    }
