"""Work in the background as one list shows it, whatever it is (api 19.5)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from eunoe.domain.messages import Json
from eunoe.domain.runs import CalledBack

JobType: TypeAlias = Literal["job", "run", "batch"]
JobStatus: TypeAlias = Literal[
    "created", "running", "completed", "failed", "pending", "cancelled", "expired"
]
ACTIVE: Final[tuple[JobStatus, ...]] = ("created", "running", "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: str
    job_type: JobType
    status: JobStatus
    stop_reason: str | None = None
    metadata: Json
    background: bool
    agent_id: str | None = None
    callback_url: str | None = None
    called_back: CalledBack | None = None
    ttft_ns: int | None = None
    total_duration_ns: int | None = None
    user_id: str | None = None
    created_at: datetime
    completed_at: datetime | None = None
