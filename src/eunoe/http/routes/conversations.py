"""Conversations: begun, found, changed, forked, removed; their prompt and window (api 11)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Body, Depends, Query
from starlette.responses import Response

from eunoe.domain.alike import alike
from eunoe.errors import Invalid
from eunoe.http.deps import Me, given
from eunoe.http.pages import After, Limit, Order, rows
from eunoe.http.paths import ConversationAddress, ConversationId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.ids import pattern
from eunoe.service import conversations, places, windows
from eunoe.store.conversations import ArchiveStatus, ConversationFilter
from eunoe.store.paging import Page
from eunoe.wire.conversations import (
    CompactionRequest,
    CompactionResponse,
    Conversation,
    CreateConversation,
    UpdateConversation,
    shown,
)

router = v1("/conversations", tag="conversations")

Whose = Annotated[str | None, Query(description="The agent whose `default` is addressed.")]
SortField = Literal["created_at", "last_run_completion", "last_message_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which conversations are wanted, and which page of them (streaming 6.1)."""

    agent_id: str | None = None
    summary_search: str | None = None
    archive_status: ArchiveStatus = "unarchived"
    limit: Limit = 50
    after: After = None
    order: Order = "desc"
    order_by: SortField = "created_at"

    def where(self) -> ConversationFilter:
        return alike(ConversationFilter, self)

    def page(self) -> Page:
        return Page(
            limit=rows(self.limit, default=50),
            after=self.after,
            ascending=self.order == "asc",
            order_by=self.order_by,
        )


@router.post("/", **answers("create_conversation", Conversation))
async def create(
    me: Me, agent_id: str, body: Annotated[CreateConversation | None, Body()] = None
) -> Response:
    """Begin a conversation with an agent."""
    draft = (body or CreateConversation()).draft()
    made = await conversations.create(me.db, me.actor, agent_id, draft, models=me.models)
    return JsonReply(shown(made))


@router.get("/", **answers("list_conversations", list[Conversation]))
async def list_all(me: Me, asked: Annotated[Asked, Depends(given(Asked))]) -> Response:
    """List conversations, the newest first, without what is in their windows."""
    found = await conversations.list_conversations(me.db, me.actor, asked.where(), asked.page())
    return JsonReply([shown(one) for one in found])


@router.get("/{conversation_id}", **answers("retrieve_conversation", Conversation))
async def retrieve(conversation_id: ConversationId, me: Me) -> Response:
    return JsonReply(shown(await conversations.get(me.db, me.actor, conversation_id)))


@router.patch("/{conversation_id}", **answers("update_conversation", Conversation))
async def update(conversation_id: ConversationId, body: UpdateConversation, me: Me) -> Response:
    changed = await conversations.update(
        me.db, me.actor, conversation_id, body.patch(), models=me.models
    )
    return JsonReply(shown(changed))


@router.delete("/{conversation_id}", operation_id="delete_conversation")
async def delete(conversation_id: ConversationId, me: Me) -> Response:
    """Delete a conversation with its own blocks and all that no other conversation shares."""
    await conversations.delete(me.db, me.actor, conversation_id)
    return JsonReply(None)


@router.post("/{conversation_id}/fork", **answers("fork_conversation", Conversation))
async def fork(
    conversation_id: ConversationAddress,
    me: Me,
    agent_id: Whose = None,
    message_id: Annotated[str | None, Query(pattern=pattern("message"))] = None,
    hidden: bool | None = None,
) -> Response:
    """Begin a conversation with what is in the window of this one, up to a message if named."""
    place = await places.at(me.db, me.actor, conversation_id, agent_id=agent_id)
    made = await conversations.fork(
        me.db, me.actor, place, upto=message_id, hidden=hidden, models=me.models
    )
    return JsonReply(shown(made))


@router.post("/{conversation_id}/recompile", **answers("recompile_conversation", str))
async def recompile(
    conversation_id: ConversationAddress,
    me: Me,
    body: Annotated[CompactionRequest | None, Body()] = None,
    dry_run: bool = False,
) -> Response:
    """Build the conversation's system message anew and get its text."""
    agent_id = body and body.agent_id
    place = await places.at(me.db, me.actor, conversation_id, agent_id=agent_id)
    place = await places.with_model(place, models=me.models)
    text = await windows.recompile(me.db, me.actor, place, update_timestamp=True, dry_run=dry_run)
    return JsonReply(text)


@router.post("/{conversation_id}/compact", **answers("compact_conversation", CompactionResponse))
async def compact(
    conversation_id: ConversationAddress,
    me: Me,
    body: Annotated[CompactionRequest | None, Body()] = None,
) -> Response:
    """Put a summary in the place of what was said in the conversation so far."""
    asked = body or CompactionRequest()
    place = await places.at(me.db, me.actor, conversation_id, agent_id=asked.agent_id)
    place = await places.with_model(place, models=me.models)
    done = await windows.summarise(me.db, me.actor, place, asked.patch(), models=me.models)
    if done.summary is None:
        raise Invalid("Nothing has been said here, so there is nothing to sum up.")
    return JsonReply(
        {
            "summary": done.summary,
            "num_messages_before": done.before,
            "num_messages_after": done.after,
        }
    )
