"""Searching what was said, by words and by meaning (api 8.20)."""

from starlette.responses import Response

from eunoe.domain.messages import Message
from eunoe.domain.passages import MessageHit
from eunoe.http.deps import Caller, Me
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service.message_search import find
from eunoe.wire.message_search import (
    MessageSearchRequest,
    MessageSearchResult,
    SearchAllMessagesRequest,
    SearchedMessage,
    query_of,
    result_of,
    searched,
)

everywhere = v1("/messages", tag="messages")
router = v1("/agents", tag="agents")


@everywhere.post("/search", **answers("search_all_messages", list[SearchedMessage]))
async def search_everywhere(body: SearchAllMessagesRequest, me: Me) -> Response:
    """Find messages that fit the query best, shown part by part."""
    hits = await _hits(me, body)
    seen = [part for _, message in hits for part in searched(message)]
    return JsonReply(seen[: body.limit])


@router.post("/messages/search", **answers("search_messages", list[MessageSearchResult]))
async def search_agents(body: MessageSearchRequest, me: Me) -> Response:
    """Find messages of agents in their stored form, with how each was found."""
    hits = await _hits(me, body)
    return JsonReply([result_of(hit, message) for hit, message in hits])


async def _hits(
    me: Caller, body: SearchAllMessagesRequest | MessageSearchRequest
) -> list[tuple[MessageHit, Message]]:
    query = query_of(body)
    if query is None:
        return []
    return await find(
        me.db,
        me.actor,
        query,
        by_meaning=body.search_mode != "fts",
        models=me.models,
        defaults=me.defaults,
    )
