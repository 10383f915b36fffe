"""Runs: what an agent did on one request, while it goes on and afterwards (streaming 4)."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final, get_args

from fastapi import Body, Depends, Path, Query
from starlette.responses import Response

from eunoe.domain import runs as domain
from eunoe.domain.alike import alike
from eunoe.domain.followups import run_of
from eunoe.domain.runs import ACTIVE, RunStatus, StopReason, is_terminal
from eunoe.domain.spans import spans_of, trace_id_of
from eunoe.errors import Invalid, ListBusy, Missing
from eunoe.http.deps import Caller, Me, given
from eunoe.http.document import STREAM
from eunoe.http.pages import After, Before, ByCreation, Order, message_page_of, page_of
from eunoe.http.paths import well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.http.sending import LOOKUPS_S, resumed, with_result
from eunoe.store import agents, followups, messages, run_tools, runs, steps
from eunoe.store.db import Tx
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.paging import Page
from eunoe.store.runs import RunFilter
from eunoe.store.steps import StepFilter
from eunoe.wire.messages import WireMessage, listed_lens, shown
from eunoe.wire.runs import (
    Run,
    RunMetrics,
    RunSpan,
    RunUsage,
    shown_metrics,
    shown_span,
    shown_usage,
)
from eunoe.wire.runs import shown as shown_run
from eunoe.wire.sends import RetrieveStreamRequest
from eunoe.wire.steps import Step
from eunoe.wire.steps import shown as shown_step

router = v1("/runs", tag="runs")

RunId = Annotated[str, Path(description="The id of a run; a malformed one is 400.")]
_STATUSES: Final[tuple[RunStatus, ...]] = get_args(RunStatus)
_ACTIVE_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parameters of the list of runs."""

    agent_id: str | None = None
    agent_ids: Annotated[list[str] | None, Query(deprecated=True)] = None
    statuses: Annotated[list[str] | None, Query()] = None
    background: bool | None = None
    stop_reason: StopReason | None = None
    conversation_id: str | None = None
    active: bool = False
    limit: Annotated[int | None, Query(ge=1, le=1000)] = 100
    before: Before = None
    after: After = None
    order: Order = "desc"
    order_by: ByCreation = "created_at"
    ascending: Annotated[bool, Query(deprecated=True)] = False

    def where(self) -> RunFilter:
        return alike(
            RunFilter,
            self,
            agent_ids=(self.agent_id,) if self.agent_id else tuple(self.agent_ids or ()),
            statuses=_statuses(self.statuses, active=self.active),
        )

    def page(self) -> Page:
        return Page(
            limit=self.limit or 100,
            before=self.before,
            after=self.after,
            ascending=self.ascending or self.order == "asc",
            order_by=self.order_by,
        )


@router.get("/", **answers("list_runs", list[Run]))
async def list_all(me: Me, asked: Annotated[Asked, Depends(given(Asked))]) -> Response:
    """List runs, the newest first; `active` stands for those created or running."""
    where, page = asked.where(), asked.page()
    async with me.read() as tx:
        found = await runs.list_runs(tx, where, page)
    return JsonReply([shown_run(run) for run in found])


@router.get("/active", deprecated=True, **answers("list_active_runs", list[Run]))
async def list_active(
    me: Me, agent_id: str | None = None, background: bool | None = None
) -> Response:
    where = RunFilter(
        agent_ids=(agent_id,) if agent_id else (), statuses=ACTIVE, background=background
    )
    async with me.read() as tx:
        found = await runs.list_runs(tx, where, Page(limit=_ACTIVE_SHOWN))
    return JsonReply([shown_run(run) for run in found])


@router.get("/{run_id}", **answers("retrieve_run", Run))
async def retrieve(run_id: RunId, me: Me) -> Response:
    """Get a run; one that follows on another may still wait for its agent."""
    async with me.read() as tx:
        run = await _run(tx, run_id, planned=True)
    return JsonReply(await with_result(me, run))


@router.get("/{run_id}/messages", **answers("list_messages_for_run", list[WireMessage]))
async def list_messages(
    run_id: RunId, me: Me, page: Annotated[MessagePage, Depends(message_page_of(order="asc"))]
) -> Response:
    """List what was said in the run, its input included, as its request wanted it shown."""
    async with me.read() as tx:
        run = await _run(tx, run_id)
        kind = await agents.type_of(tx, run.agent_id)
        found = await messages.list_messages(tx, MessageFilter(run_id=run_id), page)
    options = run.options
    speech = (options.assistant_message_tool_name, options.assistant_message_tool_kwarg)
    lens = listed_lens(
        agent_type=kind,
        types=options.return_types,
        speech=speech if options.use_assistant_message else None,
    )
    seen = [body for message in found for body in shown(message, lens)]
    if page.newest:
        seen.reverse()
    return JsonReply(seen)


@router.get("/{run_id}/usage", **answers("retrieve_usage_for_run", RunUsage))
async def retrieve_usage(run_id: RunId, me: Me) -> Response:
    """Get the tokens of the run: the sum of all its steps (G-18)."""
    async with me.read() as tx:
        return JsonReply(shown_usage((await _run(tx, run_id)).usage))


@router.get("/{run_id}/metrics", **answers("retrieve_metrics_for_run", RunMetrics))
async def retrieve_metrics(run_id: RunId, me: Me) -> Response:
    async with me.read() as tx:
        run = await _run(tx, run_id)
        used = await run_tools.tools_used(tx, run_id)
    return JsonReply(shown_metrics(run, organization_id=me.organization_id, tools_used=used))


@router.get("/{run_id}/steps", **answers("list_steps_for_run", list[Step]))
async def list_steps(
    run_id: RunId, me: Me, page: Annotated[Page, Depends(page_of(limit=100, order="desc"))]
) -> Response:
    async with me.read() as tx:
        await _run(tx, run_id)
        found = await steps.list_steps(tx, StepFilter(run_id=run_id), page)
    return JsonReply([shown_step(step, organization_id=me.organization_id) for step in found])


@router.get("/{run_id}/trace", **answers("retrieve_trace_for_run", list[RunSpan]))
async def retrieve_trace(
    run_id: RunId, me: Me, limit: Annotated[int, Query(ge=1, le=5000)] = 1000
) -> Response:
    """Show what the run spent its time on: itself, its steps, their model calls and tools."""
    async with me.read() as tx:
        run = await _run(tx, run_id)
        taken = await steps.list_steps(
            tx, StepFilter(run_id=run_id), Page(limit=limit, ascending=True)
        )
        page = MessagePage(limit=limit, newest=False)
        said = await messages.list_messages(tx, MessageFilter(run_id=run_id), page)
    trace_id = trace_id_of(run, taken)
    spans = spans_of(run, taken, said)[:limit]
    return JsonReply([shown_span(span, trace_id=trace_id) for span in spans])


@router.delete("/{run_id}", operation_id="delete_run")
async def delete(run_id: RunId, me: Me) -> Response:
    """Remove a run that is over; its messages stay. One that goes on must be cancelled first."""
    async with me.write() as tx:
        run = await _run(tx, run_id)
        if not is_terminal(run.status):
            raise Invalid(f"The run {run_id} is {run.status}; cancel it first.")
        await runs.delete(tx, run_id)
    return JsonReply(None)


@router.post(
    "/{run_id}/stream", operation_id="retrieve_stream_for_run", responses={200: {"content": STREAM}}
)
async def stream(
    run_id: RunId, me: Me, body: Annotated[RetrieveStreamRequest | None, Body()] = None
) -> Response:
    """Follow any run from any place: what it said, then what it says (streaming 4.6)."""
    return await resumed(me, await _begun(me, run_id), body or RetrieveStreamRequest())


async def _begun(me: Caller, run_id: str) -> domain.Run:
    """Return a run that has begun; raise `ListBusy` for one that waits for its agent for longer."""
    for wait_s in LOOKUPS_S:
        await asyncio.sleep(wait_s)
        async with me.read() as tx:
            await _run(tx, run_id, planned=True)
            run = await runs.get(tx, run_id)
        if run is not None:
            return run
    raise ListBusy(run_id=None)


async def _run(tx: Tx, run_id: str, *, planned: bool = False) -> domain.Run:
    """Return the run; a malformed id is 400, an unknown or foreign one 404 (api 2.2).

    One that is only `planned` is there too where that is asked for.
    """
    well_formed(run_id, "run")
    run = await runs.get(tx, run_id)
    if run is None and planned:
        plan = await followups.get(tx, run_id)
        run = None if plan is None else run_of(plan)
    if run is None:
        raise Missing(f"There is no run {run_id}.")
    return run


def _statuses(given: list[str] | None, *, active: bool) -> tuple[RunStatus, ...]:
    if not given:
        return ACTIVE if active else ()
    if not set(given) <= set(_STATUSES):
        raise Invalid(f"The status of a run is one of {', '.join(_STATUSES)}.")
    return tuple(status for status in _STATUSES if status in given)
