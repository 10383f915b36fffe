"""Batches: many requests taken in together, each answered by a run of its own (api 22)."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends
from starlette.responses import Response

from eunoe.domain.inputs import Ask
from eunoe.domain.jobs import Job as DomainJob
from eunoe.errors import Invalid
from eunoe.http.deps import Caller, Me, agent_type
from eunoe.http.pages import message_page_of, page_of
from eunoe.http.paths import well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.runs import batches
from eunoe.store import batches as stored
from eunoe.store import jobs, messages
from eunoe.store.db import Tx
from eunoe.store.jobs import JobFilter
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.own import there
from eunoe.store.paging import Page
from eunoe.wire.jobs import CreateBatch, Job, LettaBatchMessages, LettaBatchRequest, shown
from eunoe.wire.message_search import stored_form

router = v1("/messages/batches", tag="batches")

_ONLY: Final = JobFilter(kinds=("batch",))


@router.post("", **answers("create_batch", Job))
async def create(body: CreateBatch, me: Me) -> Response:
    """Take many requests in at once; each becomes a run when it is its turn."""
    if not body.requests:
        raise Invalid("A batch needs at least one request.")
    asks = [(one.agent_id, await _ask(me, one)) for one in body.requests]
    batch_id = await batches.create(
        me.db,
        me.runtime.runner,
        me.actor,
        asks,
        callback_url=body.callback_url,
        now=datetime.now(UTC),
    )
    async with me.read() as tx:
        return JsonReply(await _shown(tx, await _batch(tx, batch_id)))


@router.get("", **answers("list_batches", list[Job]))
async def list_all(
    me: Me, page: Annotated[Page, Depends(page_of(limit=100, order="desc"))]
) -> Response:
    """List batches, over or not, the newest first."""
    async with me.read() as tx:
        found = await jobs.list_jobs(tx, _ONLY, page)
        results = await stored.results(tx, [one.id for one in found])
    return JsonReply([shown(one, results[one.id]) for one in found])


@router.get("/{batch_id}", **answers("retrieve_batch", Job))
async def retrieve(batch_id: str, me: Me) -> Response:
    """Get a batch: how it stands, and what has become of each of its requests."""
    async with me.read() as tx:
        return JsonReply(await _shown(tx, await _batch(tx, batch_id)))


@router.get("/{batch_id}/messages", **answers("list_messages_for_batch", LettaBatchMessages))
async def list_messages(
    batch_id: str,
    me: Me,
    page: Annotated[MessagePage, Depends(message_page_of(order="desc"))],
    agent_id: str | None = None,
) -> Response:
    """List what was said in the runs of a batch, in the form that is kept."""
    where = MessageFilter(batch_id=batch_id, agent_id=agent_id)
    async with me.read() as tx:
        await _batch(tx, batch_id)
        found = await messages.list_messages(tx, where, page)
    said = [stored_form(message) for message in found]
    body: LettaBatchMessages = {"messages": said[::-1] if page.newest else said}
    return JsonReply(body)


@router.patch("/{batch_id}/cancel", operation_id="cancel_batch")
async def cancel(batch_id: str, me: Me) -> Response:
    """Stop a batch, its runs under way too; one that is over stays as it is."""
    well_formed(batch_id, "job")
    await batches.cancel(me.db, me.runtime.runner, me.actor, batch_id, now=datetime.now(UTC))
    return JsonReply(None)


async def _ask(me: Caller, one: LettaBatchRequest) -> Ask:
    """Return a request as it is kept; what cannot become a run is refused before anything is."""
    await agent_type(me, one.agent_id)
    if one.override_model is not None:
        await me.models.resolve(one.override_model)
    return await one.ask(fetch=me.runtime.images)


async def _shown(tx: Tx, job: DomainJob) -> Job:
    return shown(job, (await stored.results(tx, [job.id]))[job.id])


async def _batch(tx: Tx, batch_id: str) -> DomainJob:
    well_formed(batch_id, "job")
    return there(await jobs.get(tx, batch_id, kinds=("batch",)), "batch", batch_id)
