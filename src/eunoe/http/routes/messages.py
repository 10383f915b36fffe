"""Messages of an agent: sending, listing, cancelling; and messages wherever they are (api 8)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body, Depends
from starlette.requests import Request
from starlette.responses import Response

from eunoe.domain.messages import Message
from eunoe.errors import Missing
from eunoe.http.deps import Me, given
from eunoe.http.direct import direct
from eunoe.http.document import STREAM
from eunoe.http.pages import Shown, message_page_of
from eunoe.http.paths import AgentId, MessageId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.http.sending import ASYNC, Target, answered, cancelled, sent_streaming, submitted
from eunoe.store import agents
from eunoe.store import messages as stored
from eunoe.store.db import Tx
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.own import there
from eunoe.wire.messages import Lens, WireMessage, shown
from eunoe.wire.runs import Run
from eunoe.wire.runs import shown as shown_run
from eunoe.wire.sends import (
    AgentMessageRequest,
    CancelAgentRunRequest,
    LettaAsyncRequest,
    LettaStreamingRequest,
)
from eunoe.wire.stream import LettaResponse

router = v1("/agents", tag="agents")
everywhere = v1("/messages", tag="messages")

Newest = Annotated[MessagePage, Depends(message_page_of(order="desc"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOfAll(Shown):
    """What is to be listed of messages wherever they are, and how (api 8.16).

    `include_err` changes nothing: messages of failed turns are listed either way.
    """

    conversation_id: str | None = None
    include_err: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(AskedOfAll):
    """What is to be listed of an agent's messages, and how (api 8.14)."""

    group_id: str | None = None


@router.post("/{agent_id}/messages", **answers("send_message", LettaResponse, content=STREAM))
@direct
async def send(agent_id: AgentId, body: AgentMessageRequest, request: Request, me: Me) -> Response:
    """Send messages and get the answer: whole, or as a stream where `streaming` is true."""
    target = Target(
        agent_id=agent_id,
        run_type="send_message",
        background=body.background,
        stream_tokens=body.stream_tokens,
    )
    if body.streaming:
        return await sent_streaming(request, me, body, target, pings=body.include_pings)
    return await answered(me, await submitted(request, me, body, target))


@router.post(
    "/{agent_id}/messages/stream",
    operation_id="create_agent_message_stream",
    deprecated=True,
    responses={200: {"content": STREAM}},
)
@direct
async def send_streaming(
    agent_id: AgentId, body: LettaStreamingRequest, request: Request, me: Me
) -> Response:
    """Send messages and get the answer as a stream."""
    target = Target(
        agent_id=agent_id,
        run_type="send_message_streaming",
        background=body.background,
        stream_tokens=body.stream_tokens,
    )
    return await sent_streaming(request, me, body, target, pings=body.include_pings)


@router.post("/{agent_id}/messages/async", **answers("create_agent_message_async", Run))
async def send_async(
    agent_id: AgentId, body: LettaAsyncRequest, request: Request, me: Me
) -> Response:
    """Send messages and get the run that will answer them, at once."""
    target = Target(
        agent_id=agent_id, run_type=ASYNC, background=True, callback_url=body.callback_url
    )
    return JsonReply(shown_run(await submitted(request, me, body, target)))


@router.post("/{agent_id}/messages/cancel", **answers("cancel_message", dict[str, str]))
async def cancel(
    agent_id: AgentId, me: Me, body: Annotated[CancelAgentRunRequest | None, Body()] = None
) -> Response:
    """Stop runs of the agent: those named, else those under way. None is 409."""
    run_ids = (body.run_ids if body else None) or None
    return await cancelled(me, agent_id, run_ids=run_ids)


@router.get("/{agent_id}/messages", **answers("list_messages", list[WireMessage]))
async def list_of_agent(
    agent_id: AgentId, me: Me, page: Newest, asked: Annotated[Asked, Depends(given(Asked))]
) -> Response:
    """List what was said, always oldest first; `order` says which end the rows come from."""
    where = MessageFilter(
        agent_id=agent_id, conversation_id=asked.conversation_id, group_id=asked.group_id
    )
    async with me.read() as tx:
        kind = await agents.type_of(tx, agent_id)
        if kind is None:
            raise Missing(f"There is no agent {agent_id}.")
        found = await stored.list_messages(tx, where, page)
    return _listed(found, asked.lens(kind))


@router.patch("/{agent_id}/messages/{message_id}", operation_id="modify_message", deprecated=True)
async def modify(agent_id: AgentId, message_id: MessageId) -> Response:
    """Messages are never changed: always 405."""
    text = f"The message {message_id} of {agent_id} is kept as it was said; send another instead."
    return JsonReply({"detail": text}, status=405, headers={"Allow": "GET"})


@everywhere.get("/", **answers("list_all_messages", list[WireMessage]))
async def list_all(
    me: Me, page: Newest, asked: Annotated[AskedOfAll, Depends(given(AskedOfAll))]
) -> Response:
    """List what was said to and by all agents, always oldest first."""
    where = MessageFilter(conversation_id=asked.conversation_id)
    async with me.read() as tx:
        found = await stored.list_messages(tx, where, page)
    return _listed(found, asked.lens(None))


@everywhere.get("/{message_id}", **answers("retrieve_message", list[WireMessage]))
async def retrieve(message_id: MessageId, me: Me) -> Response:
    """Get the parts of one stored message, in natural order; calls stay calls."""
    async with me.read() as tx:
        message = await _message(tx, message_id)
    return JsonReply(shown(message, Lens()))


async def _message(tx: Tx, message_id: str) -> Message:
    return there(await stored.get(tx, message_id), "message", message_id)


def _listed(found: list[Message], lens: Lens) -> Response:
    return JsonReply([body for message in found for body in shown(message, lens)])
