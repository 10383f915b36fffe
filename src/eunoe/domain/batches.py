"""A batch: many requests taken in together, each answered by a run of its own (streaming 7.8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never

from eunoe.domain.inputs import Ask
from eunoe.domain.runs import RunStatus

BatchStatus: TypeAlias = Literal["running", "completed", "failed", "cancelled"]
MOST_ITEMS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    id: str
    callback_url: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One request, by its place in the batch; `run_id` is null until it has been begun."""

    batch_id: str
    place: int
    agent_id: str
    ask: Ask
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """How an item stands: null as status until its run has ended, or it never came to one."""

    place: int
    agent_id: str
    run_id: str | None = None
    status: RunStatus | None = None
    error: str | None = None


def status_of(results: Sequence[RunStatus]) -> BatchStatus:
    """Return how a batch ends whose items all have: well where any of them did (streaming 7.8)."""
    if "completed" in results:
        return "completed"
    return "failed" if "failed" in results else "cancelled"


def shown_status(result: ItemResult) -> str:
    match result.status:
        case None:
            return "created" if result.run_id is None else "running"
        case "created" | "running" | "completed" | "failed" | "cancelled":
            return result.status
        case _:
            assert_never(result.status)
