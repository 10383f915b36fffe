"""How an agent's tools look things up: the port, the two searches, and what the model reads."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Protocol, cast

from eunoe.domain.messages import Json
from eunoe.domain.moments import ago, local, moment
from eunoe.domain.passages import MessageHit, PassageHit
from eunoe.domain.recall import MessageQuery, PassageQuery, QueryVector, SearchedRole, TagMatch
from eunoe.domain.tools import RETURN_CHAR_LIMIT, truncated
from eunoe.engine.ports import Embedder
from eunoe.errors import ModelError, ToolArgumentsInvalid
from eunoe.tools.fields import choice, optional_text, texts, whole_number

DEFAULT_LIMIT: Final = 5
MAX_LIMIT: Final = 50
EMBED_TIMEOUT_S: Final = 3.0
_ROLES: Final[tuple[SearchedRole, ...]] = ("assistant", "user", "tool")

_log: Final = logging.getLogger(__name__)


class Recall(Protocol):
    """Searches what one agent has said and kept. Works without an embedder, by words alone."""

    async def conversations(self, query: MessageQuery) -> list[MessageHit]: ...

    async def archive(self, query: PassageQuery) -> list[PassageHit]:
        """Search the agent's own archive; `archive_id` of the query does not matter."""
        ...

    async def vector_to_keep(self, text: str) -> QueryVector | None:
        """Return the vector of a text in the agent's archive, null where it gets one later."""
        ...


async def conversation_search(
    arguments: Mapping[str, object],
    *,
    recall: Recall,
    agent_id: str,
    timezone: str,
    now: datetime | None = None,
) -> Json:
    """Return `{message, results}` of a search in everything the agent has heard and said (M27)."""
    hits = await recall.conversations(_message_query(arguments, agent_id, timezone=timezone))
    if not hits:
        return {"message": "No results found.", "results": []}
    results = _said(hits, timezone=timezone, now=now or datetime.now(UTC))
    return {"message": f"Found {len(hits)} messages.", "results": results}


async def memory_search(
    arguments: Mapping[str, object],
    *,
    recall: Recall,
    agent_id: str,
    timezone: str,
    now: datetime | None = None,
) -> Json:
    """Return `{conversation, archive}`: what was said in a stretch of time, and what was kept.

    The stretch is told in minutes before now; without words all that was said in it counts.
    """
    of, at = "search_memory", now or datetime.now(UTC)
    words = " ".join(texts(arguments, "convo_keyword_queries", of=of))
    start, end = (
        whole_number(arguments, name, of=of, default=-1)
        for name in ("start_minutes_ago", "end_minutes_ago")
    )
    said = await recall.conversations(
        MessageQuery(
            text=words,
            agent_id=agent_id,
            since=None if start < 0 else at - timedelta(minutes=start),
            until=None if end < 0 else at - timedelta(minutes=end),
            limit=DEFAULT_LIMIT,
        )
    )
    kept = await recall.archive(PassageQuery(text=words, limit=DEFAULT_LIMIT)) if words else []
    return {
        "conversation": _said(said, timezone=timezone, now=at, share=2),
        "archive": _kept(kept, timezone=timezone, share=2),
    }


def _said(
    hits: Sequence[MessageHit], *, timezone: str, now: datetime, share: int = 1
) -> list[Json]:
    """Return hits as a model reads them, all of them within a share of a return's limit."""
    room = RETURN_CHAR_LIMIT // share // max(1, len(hits))
    return [
        {
            "timestamp": local(hit.created_at, timezone=timezone),
            "time_ago": ago(hit.created_at, now=now),
            "role": hit.role,
            "relevance": {**_relevance(hit), "search_mode": _mode(hit)},
            "content": truncated(hit.text, limit=room),
        }
        for hit in hits
    ]


async def archival_search(
    arguments: Mapping[str, object], *, recall: Recall, timezone: str
) -> list[Json]:
    """Return `[{id, timestamp, content, tags, relevance}]`, best first (M22, M23)."""
    query = _passage_query(arguments, timezone=timezone)
    if not query.text.strip():
        return []
    return _kept(await recall.archive(query), timezone=timezone)


def _kept(hits: Sequence[PassageHit], *, timezone: str, share: int = 1) -> list[Json]:
    """Return hits as a model reads them, all of them within a share of a return's limit."""
    room = RETURN_CHAR_LIMIT // share // max(1, len(hits))
    return [
        {
            "id": hit.passage.id,
            "timestamp": local(hit.passage.created_at, timezone=timezone),
            "content": truncated(hit.passage.text, limit=room),
            "tags": list(hit.passage.tags),
            "relevance": _relevance(hit),
        }
        for hit in hits
    ]


async def vector_of(
    text: str,
    *,
    embedder: Embedder | None,
    purpose: Literal["store", "search"],
    timeout_s: float = EMBED_TIMEOUT_S,
) -> tuple[float, ...] | None:
    """Return the vector of `text`, null where none is to be had in time.

    Memory must work while a model does not: words are searched then, and a stored text gets
    its vector later.
    """
    if embedder is None or not text.strip():
        return None
    try:
        async with asyncio.timeout(timeout_s):
            return (await embedder.embed([text], purpose=purpose))[0]
    except (ModelError, TimeoutError) as error:
        _log.warning("No vector to %s a text: %s", purpose, type(error).__name__)
        return None


def _message_query(
    arguments: Mapping[str, object], agent_id: str, *, timezone: str
) -> MessageQuery:
    of = "conversation_search"
    return MessageQuery(
        text=optional_text(arguments, "query", of=of) or "",
        agent_id=agent_id,
        roles=_roles(texts(arguments, "roles", of=of)),
        since=_bound(arguments, "start_date", of=of, timezone=timezone),
        until=_bound(arguments, "end_date", of=of, timezone=timezone, end=True),
        limit=_limit(arguments, "limit", of=of),
    )


def _passage_query(arguments: Mapping[str, object], *, timezone: str) -> PassageQuery:
    of = "archival_memory_search"
    tag_match = choice(arguments, "tag_match_mode", of=of, among=("any", "all"))
    return PassageQuery(
        text=optional_text(arguments, "query", of=of) or "",
        tags=texts(arguments, "tags", of=of),
        tag_match=cast("TagMatch", tag_match or "any"),
        since=_bound(arguments, "start_datetime", of=of, timezone=timezone),
        until=_bound(arguments, "end_datetime", of=of, timezone=timezone, end=True),
        limit=_limit(arguments, "top_k", of=of),
    )


def _roles(names: Sequence[str]) -> tuple[SearchedRole, ...]:
    unknown = [name for name in names if name not in _ROLES]
    if unknown:
        raise ToolArgumentsInvalid(
            f"`roles` cannot hold `{unknown[0]}`; use any of {', '.join(_ROLES)}."
        )
    return tuple(role for role in _ROLES if role in names)


def _limit(arguments: Mapping[str, object], name: str, *, of: str) -> int:
    return max(1, min(MAX_LIMIT, whole_number(arguments, name, of=of, default=DEFAULT_LIMIT)))


def _bound(
    arguments: Mapping[str, object], name: str, *, of: str, timezone: str, end: bool = False
) -> datetime | None:
    text = optional_text(arguments, name, of=of)
    if text is None or not text.strip():
        return None
    return moment(text, parameter=name, timezone=timezone, end=end)


def _relevance(hit: MessageHit | PassageHit) -> dict[str, Any]:
    return {
        "rrf_score": round(hit.score, 4),
        "vector_rank": hit.vector_rank,
        "fts_rank": hit.text_rank,
    }


def _mode(hit: MessageHit) -> str:
    match (hit.text_rank, hit.vector_rank):
        case (None, None):
            return "sql"
        case (_, None):
            return "fts"
        case (None, _):
            return "vector"
        case _:
            return "hybrid"
