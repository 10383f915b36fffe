"""Messages of a conversation: sending, following, listing, cancelling (api 11, streaming 6)."""

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Body, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from eunoe.domain.runs import ACTIVE, Run
from eunoe.errors import Invalid, Missing
from eunoe.http.deps import Caller, Me, agent_type, given
from eunoe.http.direct import direct
from eunoe.http.document import STREAM
from eunoe.http.pages import message_page_of
from eunoe.http.paths import ConversationAddress
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.http.sending import (
    LOOKUPS_S,
    Target,
    answered,
    cancelled,
    resumed,
    sent_streaming,
    submitted,
)
from eunoe.service import places
from eunoe.service.places import DEFAULT, Place
from eunoe.store import messages, runs
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.paging import Page
from eunoe.store.runs import RunFilter
from eunoe.wire.messages import MessageType, WireMessage, listed_lens, shown
from eunoe.wire.sends import ConversationMessageRequest, RetrieveStreamRequest
from eunoe.wire.stream import LettaResponse

router = v1("/conversations", tag="conversations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be listed; messages of failed turns are, whatever `include_err` says."""

    agent_id: str | None = None
    group_id: str | None = None
    include_err: bool | None = None
    include_return_message_types: Annotated[list[MessageType] | None, Query()] = None


@router.post(
    "/{conversation_id}/messages",
    **answers("send_conversation_message", LettaResponse, content=STREAM),
)
@direct
async def send(
    conversation_id: ConversationAddress, body: ConversationMessageRequest, request: Request, me: Me
) -> Response:
    """Send messages and get the answer: as a stream, or whole where `streaming` is false."""
    place = await places.at(me.db, me.actor, conversation_id, agent_id=body.agent_id)
    if body.override_model is None:
        # Refused before the run exists, as an unknown override is (streaming 1.3).
        await places.with_model(place, models=me.models)
    target = Target(
        agent_id=place.agent_id,
        conversation_id=place.conversation_id,
        run_type="send_message" if place.conversation is None else "send_conversation_message",
        background=body.background,
        stream_tokens=body.stream_tokens,
    )
    if body.streaming:
        return await sent_streaming(request, me, body, target, pings=body.include_pings)
    return await answered(me, await submitted(request, me, body, target))


@router.post(
    "/{conversation_id}/stream",
    operation_id="retrieve_conversation_stream",
    responses={200: {"content": STREAM}},
)
async def stream(
    conversation_id: ConversationAddress,
    me: Me,
    body: Annotated[RetrieveStreamRequest | None, Body()] = None,
) -> Response:
    """Follow a run of the conversation: the one named, that of an otid, or the one under way."""
    asked = body or RetrieveStreamRequest()
    place = await places.at(me.db, me.actor, conversation_id, agent_id=asked.agent_id)
    await agent_type(me, place.agent_id)
    return await resumed(me, await _chosen(me, place, asked), asked)


@router.get(
    "/{conversation_id}/messages", **answers("list_conversation_messages", list[WireMessage])
)
async def list_messages(
    conversation_id: ConversationAddress,
    me: Me,
    page: Annotated[MessagePage, Depends(message_page_of(order="desc"))],
    asked: Annotated[Asked, Depends(given(Asked))],
) -> Response:
    """List what was said in it, the newest first, with what has left the window (api 11.8)."""
    place = await places.at(me.db, me.actor, conversation_id, agent_id=asked.agent_id)
    kind = await agent_type(me, place.agent_id)
    where = MessageFilter(
        agent_id=place.agent_id,
        conversation_id=place.conversation_id or DEFAULT,
        group_id=asked.group_id,
    )
    async with me.read() as tx:
        found = await messages.list_messages(tx, where, replace(page, unknown_cursor="ignored"))
    if page.newest:
        found.reverse()
    lens = listed_lens(agent_type=kind, types=asked.include_return_message_types)
    return JsonReply([body for message in found for body in shown(message, lens)])


@router.post("/{conversation_id}/cancel", **answers("cancel_conversation", dict[str, str]))
async def cancel(
    conversation_id: ConversationAddress, me: Me, agent_id: str | None = None
) -> Response:
    """Stop what goes on in the conversation; for `default`, in all of the agent's (api 11.4)."""
    place = await places.at(me.db, me.actor, conversation_id, agent_id=agent_id)
    return await cancelled(me, place.agent_id, conversation_id=place.conversation_id)


async def _chosen(me: Caller, place: Place, asked: RetrieveStreamRequest) -> Run:
    """Return the run to follow (streaming 4.6).

    Raises `Missing` for one that is not of this place, `Invalid` where none goes on.
    """
    run_id = asked.run_id
    if run_id is None and asked.otid is not None:
        run_id = await _run_of(me, place, otid=asked.otid)
    if run_id is None:
        return await _newest(me, place)
    async with me.read() as tx:
        run = await runs.get(tx, run_id)
    if run is None or not _is_at(run, place):
        raise Missing(f"There is no run {run_id} in this conversation.")
    return run


async def _run_of(me: Caller, place: Place, *, otid: str) -> str:
    """Return the run of an otid, whose request may be on its way still (streaming 4.6)."""
    where = MessageFilter(agent_id=place.agent_id, conversation_id=place.conversation_id)
    for wait_s in LOOKUPS_S:
        await asyncio.sleep(wait_s)
        async with me.read() as tx:
            run_id = await messages.run_of_otid(tx, otid, where)
        if run_id is not None:
            return run_id
    raise Missing("There is no run of this otid in this conversation.")


async def _newest(me: Caller, place: Place) -> Run:
    where = RunFilter(
        agent_ids=(place.agent_id,), conversation_id=place.conversation_id, statuses=ACTIVE
    )
    async with me.read() as tx:
        newest = await runs.list_runs(tx, where, Page(limit=1))
    if not newest:
        raise Invalid("No run goes on here; name the run to follow with run_id.")
    return newest[0]


def _is_at(run: Run, place: Place) -> bool:
    return run.agent_id == place.agent_id and place.conversation_id in {None, run.conversation_id}
