"""Steps: one model call and its tools each (api 19.4, streaming 5)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.domain.alike import alike
from eunoe.errors import Invalid
from eunoe.http.deps import Me, given
from eunoe.http.pages import message_page_of, page_of
from eunoe.http.paths import StepId, well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.store import agents, messages, provider_traces, steps
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.own import there
from eunoe.store.paging import Page
from eunoe.store.steps import StepFilter
from eunoe.wire.messages import WireMessage, listed_lens, shown
from eunoe.wire.steps import (
    ModifyFeedbackRequest,
    ProviderTrace,
    Step,
    StepMetrics,
    shown_metrics,
    shown_trace,
)
from eunoe.wire.steps import shown as shown_step

router = v1("/steps", tag="steps")
telemetry = v1("/telemetry", tag="telemetry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parameters of the list of steps; `tags` matches any of them, dates are exclusive."""

    model: str | None = None
    agent_id: str | None = None
    trace_ids: Annotated[list[str] | None, Query()] = None
    feedback: Literal["positive", "negative"] | None = None
    has_feedback: bool | None = None
    tags: Annotated[list[str] | None, Query()] = None
    project_id: str | None = None
    start_date: str | None = None
    end_date: str | None = None

    def where(self) -> StepFilter:
        return alike(
            StepFilter,
            self,
            trace_ids=tuple(self.trace_ids or ()),
            tags=tuple(self.tags or ()),
            start=_date(self.start_date),
            end=_date(self.end_date),
        )


@router.get("/", **answers("list_steps", list[Step]))
async def list_all(
    me: Me,
    page: Annotated[Page, Depends(page_of(limit=50, order="desc"))],
    asked: Annotated[Asked, Depends(given(Asked))],
) -> Response:
    """List steps, the newest first."""
    where = asked.where()
    if asked.project_id is not None:
        return JsonReply([])  # Steps belong to no project here, so none matches.
    async with me.read() as tx:
        found = await steps.list_steps(tx, where, page)
    return JsonReply([shown_step(step, organization_id=me.organization_id) for step in found])


@router.get("/{step_id}", **answers("retrieve_step", Step))
async def retrieve(step_id: StepId, me: Me) -> Response:
    async with me.read() as tx:
        step = there(await steps.get(tx, step_id), "step", step_id)
    return JsonReply(shown_step(step, organization_id=me.organization_id))


@router.get("/{step_id}/metrics", **answers("retrieve_metrics_for_step", StepMetrics))
async def retrieve_metrics(step_id: StepId, me: Me) -> Response:
    async with me.read() as tx:
        step = there(await steps.get(tx, step_id), "step", step_id)
    return JsonReply(shown_metrics(step, organization_id=me.organization_id))


@router.get("/{step_id}/trace", **answers("retrieve_trace_for_step", ProviderTrace | None))
async def retrieve_trace(step_id: StepId, me: Me) -> Response:
    """Get what was sent to and received from the provider: null where it is not kept, never 404."""
    async with me.read() as tx:
        found = await provider_traces.of_step(tx, step_id)
    return JsonReply(found and shown_trace(found, organization_id=me.organization_id))


@telemetry.get(
    "/{step_id}", deprecated=True, **answers("retrieve_provider_trace", ProviderTrace | None)
)
async def retrieve_provider_trace(step_id: str, me: Me) -> Response:
    """Get the trace of a step by its old name."""
    return await retrieve_trace(well_formed(step_id, "step"), me)


@router.get("/{step_id}/messages", **answers("list_messages_for_step", list[WireMessage]))
async def list_messages(
    step_id: StepId, me: Me, page: Annotated[MessagePage, Depends(message_page_of(order="asc"))]
) -> Response:
    async with me.read() as tx:
        step = there(await steps.get(tx, step_id), "step", step_id)
        kind = await agents.type_of(tx, step.agent_id)
        found = await messages.list_messages(tx, MessageFilter(step_id=step_id), page)
    lens = listed_lens(agent_type=kind)
    seen = [body for message in found for body in shown(message, lens)]
    if page.newest:
        seen.reverse()
    return JsonReply(seen)


@router.patch("/{step_id}/feedback", **answers("modify_feedback_for_step", Step))
async def modify_feedback(step_id: StepId, body: ModifyFeedbackRequest, me: Me) -> Response:
    """Say whether the step was good; null takes it back."""
    async with me.write() as tx:
        changed = await steps.set_feedback(
            tx, step_id, feedback=body.feedback, tags=tuple(body.tags or ())
        )
    step = there(changed, "step", step_id)
    return JsonReply(shown_step(step, organization_id=me.organization_id))


@router.patch(
    "/{step_id}/transaction/{transaction_id}", **answers("update_step_transaction_id", Step)
)
async def modify_transaction(step_id: StepId, transaction_id: str, me: Me) -> Response:
    """Note the caller's own transaction id on the step."""
    async with me.write() as tx:
        changed = await steps.set_transaction(tx, step_id, transaction_id)
    step = there(changed, "step", step_id)
    return JsonReply(shown_step(step, organization_id=me.organization_id))


def _date(text: str | None) -> datetime | None:
    """Read an ISO date; without an offset it is UTC, and anything else is 400 (api 19.4)."""
    if text is None:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{text[:60]!r} is not an ISO 8601 date.") from error
