"""What a system message says of the world outside its stable part, counted when it is rebuilt."""

from datetime import datetime

from eunoe.domain.prompt import PromptFacts
from eunoe.store.db import Tx


async def facts(
    tx: Tx, *, agent_id: str, list_id: str, conversation_id: str | None, now: datetime
) -> PromptFacts:
    """Count what the agent has stored outside the list's window, and its archive's tags."""
    stored = await tx.fetch_value("SELECT COUNT(*) FROM messages WHERE agent_id = $1", agent_id)
    in_window = await tx.fetch_value(
        "SELECT COUNT(*) FROM list_entries WHERE list_id = $1 AND position IS NOT NULL", list_id
    )
    archived = await tx.fetch_value(
        "SELECT COUNT(*) FROM passages JOIN agents_archives"
        " ON agents_archives.archive_id = passages.archive_id WHERE agents_archives.agent_id = $1",
        agent_id,
    )
    tags = await tx.fetch(
        "SELECT DISTINCT passage_tags.tag FROM passage_tags"
        " JOIN passages ON passages.seq = passage_tags.passage_seq"
        " JOIN agents_archives ON agents_archives.archive_id = passages.archive_id"
        " WHERE agents_archives.agent_id = $1 ORDER BY passage_tags.tag",
        agent_id,
    )
    return PromptFacts(
        conversation_id=conversation_id,
        recompiled_at=now,
        recalled=max(0, stored - in_window),
        archived=archived,
        archive_tags=tuple(row[0] for row in tags),
    )
