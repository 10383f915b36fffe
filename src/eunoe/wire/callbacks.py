"""What a caller's URL is told of what has ended (api 8.8, streaming 7.7)."""

from typing_extensions import TypedDict

from eunoe.domain.jobs import JobStatus
from eunoe.domain.messages import Json
from eunoe.domain.runs import Run, RunStatus
from eunoe.runs.outcome import Outcome
from eunoe.wire.jobs import Job
from eunoe.wire.messages import Lens
from eunoe.wire.shape import shown_as
from eunoe.wire.stream import answer


class RunCallback(TypedDict):
    run_id: str
    status: RunStatus
    completed_at: str | None
    metadata: Json


class JobCallback(TypedDict):
    job_id: str
    status: JobStatus
    completed_at: str | None
    metadata: Json


def job_callback(job: Job) -> JobCallback:
    """Return what is told of a job, here as it is shown (streaming 7.7)."""
    return {
        "job_id": job["id"],
        "status": job["status"],
        "completed_at": job["completed_at"],
        "metadata": job["metadata"],
    }


def run_callback(run: Run, outcome: Outcome | None, lens: Lens) -> RunCallback:
    """Return what is told of a run; its answer is null where its events are no longer kept."""
    result = None if outcome is None else answer(outcome, lens)
    return shown_as(RunCallback, run, run_id=run.id, metadata={**run.metadata, "result": result})
