"""Jobs: whatever goes on in the background, in one list (api 19.5)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.domain import jobs as domain
from eunoe.domain.jobs import ACTIVE
from eunoe.errors import Invalid
from eunoe.http.deps import Me, given
from eunoe.http.pages import After, Before, ByCreation, Limit, Order, rows
from eunoe.http.paths import JobId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.runs import batches as running
from eunoe.store import batches, jobs, runs
from eunoe.store.db import Tx
from eunoe.store.jobs import JobFilter
from eunoe.store.own import there
from eunoe.store.paging import Page
from eunoe.wire.jobs import Job, shown

router = v1("/jobs", tag="jobs")

_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parameters of the list of jobs; `ascending` false wins over `order`."""

    source_id: Annotated[str | None, Query(deprecated=True)] = None
    before: Before = None
    after: After = None
    limit: Limit = _SHOWN
    order: Order = "desc"
    order_by: ByCreation = "created_at"
    active: bool = False
    ascending: Annotated[bool, Query(deprecated=True)] = True

    def page(self) -> Page:
        return Page(
            limit=rows(self.limit, default=_SHOWN),
            before=self.before,
            after=self.after,
            ascending=self.order == "asc" and self.ascending,
            order_by=self.order_by,
        )


@router.get("/", **answers("list_jobs", list[Job]))
async def list_all(me: Me, asked: Annotated[Asked, Depends(given(Asked))]) -> Response:
    """List jobs, the newest first; `active` leaves out those that are over."""
    where = JobFilter(active=asked.active, source_id=asked.source_id)
    async with me.read() as tx:
        found = await jobs.list_jobs(tx, where, asked.page())
    return JsonReply([shown(job) for job in found])


@router.get("/active", deprecated=True, **answers("list_active_jobs", list[Job]))
async def list_active(me: Me, asked: Annotated[Asked, Depends(given(Asked))]) -> Response:
    where = JobFilter(active=True, source_id=asked.source_id)
    async with me.read() as tx:
        found = await jobs.list_jobs(tx, where, asked.page())
    return JsonReply([shown(job) for job in found])


@router.get("/{job_id}", **answers("retrieve_job", Job))
async def retrieve(job_id: JobId, me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(shown(await _job(tx, job_id)))


@router.patch("/{job_id}/cancel", **answers("cancel_job", Job))
async def cancel(job_id: JobId, me: Me) -> Response:
    """Stop a job; one that is over is answered as it is."""
    async with me.read() as tx:
        job = await _job(tx, job_id)
    if job.status in ACTIVE:
        match job.job_type:
            case "run":
                await running.stop(me.runtime.runner, me.actor, [job_id])
            case "batch":
                now = datetime.now(UTC)
                await running.cancel(me.db, me.runtime.runner, me.actor, job_id, now=now)
            case "job":
                raise Invalid(f"The job {job_id} cannot be stopped; wait until it is over.")
    async with me.read() as tx:
        return JsonReply(shown(await _job(tx, job_id)))


@router.delete("/{job_id}", **answers("delete_job", Job))
async def delete(job_id: JobId, me: Me) -> Response:
    """Remove a job that is over; what it has made stays."""
    async with me.write() as tx:
        job = await _job(tx, job_id)
        if job.status in ACTIVE:
            raise Invalid(f"The job {job_id} is {job.status}; cancel it first.")
        match job.job_type:
            case "run":
                await runs.delete(tx, job_id)
            case "batch":
                await batches.delete(tx, job_id)
            case "job":
                raise Invalid(f"The job {job_id} goes with what it works on.")
    return JsonReply(shown(job))


async def _job(tx: Tx, job_id: str) -> domain.Job:
    return there(await jobs.get(tx, job_id), "job", job_id)
