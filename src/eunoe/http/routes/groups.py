"""Groups of agents, the blocks they share, and what was said in them (api 21.10)."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from eunoe.domain.groups import ManagerType
from eunoe.http.deps import Caller, Me, given
from eunoe.http.document import STREAM
from eunoe.http.pages import Shown, message_page_of, page_of
from eunoe.http.paths import AgentId, GroupId, MessageId, well_formed
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.http.sending import Target, answered, sent_streaming, submitted
from eunoe.service import groups, states
from eunoe.store import groups as stored
from eunoe.store import messages
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.paging import Page
from eunoe.wire.groups import CreateGroupBody, Group, UpdateGroupBody, group
from eunoe.wire.messages import WireMessage, shown
from eunoe.wire.sends import AgentMessageRequest, LettaStreamingRequest
from eunoe.wire.stream import LettaResponse

router = v1("/groups", tag="groups", deprecated=True)
of_agent = v1("/agents", tag="agents")

Oldest = Annotated[Page, Depends(page_of(limit=50, order="asc"))]
Newest = Annotated[Page, Depends(page_of(limit=100, order="desc"))]
NewestSaid = Annotated[MessagePage, Depends(message_page_of(order="desc", limit=10))]


@router.get("/", **answers("list_groups", list[Group]))
async def list_all(
    me: Me,
    page: Oldest,
    manager_type: ManagerType | None = None,
    project_id: str | None = None,
    *,
    show_hidden_groups: Annotated[bool | None, Query(include_in_schema=False)] = None,
) -> Response:
    """List groups, the oldest first."""
    async with me.read() as tx:
        found = await stored.list_groups(
            tx,
            page,
            manager_type=manager_type,
            project_id=project_id,
            show_hidden=bool(show_hidden_groups),
        )
    return JsonReply([group(one) for one in found])


@router.get("/count", **answers("count_groups", int))
async def count(me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(await stored.count(tx))


@router.post("/", **answers("create_group", Group))
async def create(body: CreateGroupBody, me: Me) -> Response:
    return JsonReply(group(await groups.create(me.db, me.actor, body.draft())))


@router.get("/{group_id}", **answers("retrieve_group", Group))
async def retrieve(group_id: GroupId, me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(group(await groups.known(tx, group_id)))


@router.patch("/{group_id}", **answers("modify_group", Group))
async def update(group_id: GroupId, body: UpdateGroupBody, me: Me) -> Response:
    """Change a group; members and shared blocks are replaced, its kind stays."""
    return JsonReply(group(await groups.update(me.db, me.actor, group_id, body.patch())))


@router.delete("/{group_id}", operation_id="delete_group")
async def delete(group_id: GroupId, me: Me) -> Response:
    """Delete a group; its agents stay."""
    await groups.delete(me.db, me.actor, group_id)
    return JsonReply({"message": f"The group {group_id} was deleted."})


@router.post("/{group_id}/messages", **answers("send_group_message", LettaResponse, content=STREAM))
async def send(group_id: GroupId, body: AgentMessageRequest, request: Request, me: Me) -> Response:
    """Send messages to a group and get what all who speak answer, in the order of their turns."""
    target = await _target(group_id, body, me, run_type="send_group_message")
    if body.streaming:
        return await sent_streaming(request, me, body, target, pings=body.include_pings)
    return await answered(me, await submitted(request, me, body, target))


@router.post(
    "/{group_id}/messages/stream",
    operation_id="send_group_message_streaming",
    responses={200: {"content": STREAM}},
)
async def send_streaming(
    group_id: GroupId, body: LettaStreamingRequest, request: Request, me: Me
) -> Response:
    """Send messages to a group and get what its agents answer as a stream."""
    target = await _target(group_id, body, me, run_type="send_group_message_streaming")
    return await sent_streaming(request, me, body, target, pings=body.include_pings)


async def _target(
    group_id: str, body: LettaStreamingRequest, me: Caller, *, run_type: str
) -> Target:
    turn = await groups.first(me.db, me.actor, group_id)
    return Target(
        agent_id=turn.agent_id,
        run_type=run_type,
        background=body.background,
        stream_tokens=body.stream_tokens,
        group=turn,
    )


@router.get("/{group_id}/messages", **answers("list_group_messages", list[WireMessage]))
async def list_messages(
    group_id: GroupId, me: Me, page: NewestSaid, asked: Annotated[Shown, Depends(given(Shown))]
) -> Response:
    """List what was said in a group, always oldest first; `order` says from which end."""
    async with me.read() as tx:
        await groups.known(tx, group_id)
        found = await messages.list_messages(tx, MessageFilter(group_id=group_id), page)
    lens = asked.lens(None)
    return JsonReply([body for message in found for body in shown(message, lens)])


@router.patch("/{group_id}/messages/{message_id}", operation_id="modify_group_message")
async def modify_message(group_id: GroupId, message_id: MessageId) -> Response:
    """Messages are never changed: always 405 (21.15)."""
    text = f"The message {message_id} of {group_id} is kept as it was said; send another instead."
    return JsonReply({"detail": text}, status=405, headers={"Allow": "GET"})


@router.patch("/{group_id}/reset-messages", operation_id="reset_group_messages")
async def reset_messages(group_id: GroupId, me: Me) -> Response:
    """Delete for good what was said in a group."""
    await groups.reset(me.db, me.actor, group_id)
    return JsonReply(None)


@router.patch("/{group_id}/blocks/attach/{block_id}", operation_id="attach_block_to_group")
async def attach_block(group_id: GroupId, block_id: str, me: Me) -> Response:
    """Give a block to a group and everybody in it."""
    await groups.attach_block(me.db, me.actor, group_id, well_formed(block_id, "block"))
    return JsonReply(None)


@router.patch("/{group_id}/blocks/detach/{block_id}", operation_id="detach_block_from_group")
async def detach_block(group_id: GroupId, block_id: str, me: Me) -> Response:
    """Take a block off a group and everybody in it."""
    await groups.detach_block(me.db, me.actor, group_id, well_formed(block_id, "block"))
    return JsonReply(None)


@of_agent.get("/{agent_id}/groups", **answers("list_groups_for_agent", list[Group]))
async def list_of_agent(
    agent_id: AgentId, me: Me, page: Newest, manager_type: str | None = None
) -> Response:
    """List the groups that the agent is a member of, the newest first."""
    async with me.read() as tx:
        await states.known(tx, agent_id)
        found = await stored.list_groups(
            tx, page, manager_type=manager_type, member_id=agent_id, show_hidden=True
        )
    return JsonReply([group(one) for one in found])
