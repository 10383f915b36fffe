"""Jobs and batches as the wire has them (api 19.5, 22)."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from eunoe.domain import jobs
from eunoe.domain.batches import MOST_ITEMS, ItemResult, shown_status
from eunoe.domain.inputs import Ask
from eunoe.domain.jobs import JobStatus, JobType
from eunoe.domain.messages import Json
from eunoe.wire.content import FetchImage
from eunoe.wire.references import AgentId
from eunoe.wire.runs import Callback, shown_callback
from eunoe.wire.sends import (
    CallbackUrl,
    LettaRequest,
    given_answers,
    inputs_of,
    items_of,
    options_of,
)
from eunoe.wire.shape import Shape, shown_as


class Job(Callback):
    id: str
    status: JobStatus
    job_type: JobType
    stop_reason: str | None
    metadata: Json
    background: bool
    agent_id: str | None
    callback_url: str | None
    ttft_ns: int | None
    total_duration_ns: int | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: str
    updated_at: str | None
    completed_at: str | None


class LettaBatchMessages(TypedDict):
    messages: list[Json]


class LettaBatchRequest(LettaRequest):
    agent_id: AgentId

    async def ask(self, *, fetch: FetchImage) -> Ask:
        """Return what is asked; raise `Invalid` for an image that cannot be had."""
        items = items_of(self)
        return Ask(
            messages=await inputs_of(items, fetch=fetch),
            answers=await given_answers(items, fetch=fetch),
            options=options_of(self, stream_tokens=False),
        )


class CreateBatch(Shape):
    requests: Annotated[list[LettaBatchRequest], Field(max_length=MOST_ITEMS)]
    callback_url: CallbackUrl | None = None


def shown(job: jobs.Job, results: Sequence[ItemResult] | None = None) -> Job:
    """Return a job; a batch tells what has become of each item (streaming 7.8)."""
    told = {} if results is None else {"items": [_item(one) for one in results]}
    return shown_as(
        Job,
        job,
        metadata={**job.metadata, **told},
        created_by_id=job.user_id,
        last_updated_by_id=job.user_id,
        updated_at=job.completed_at,
        **shown_callback(job.called_back),
    )


def _item(result: ItemResult) -> Json:
    return {
        "index": result.place,
        "agent_id": result.agent_id,
        "run_id": result.run_id,
        "status": shown_status(result),
        "error": result.error,
    }
