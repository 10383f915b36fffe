"""What a search found, read whole: from places and ranks to passages and messages."""

from collections.abc import Sequence

from eunoe.domain.messages import Message
from eunoe.domain.passages import MessageHit, Passage, PassageHit
from eunoe.domain.ranking import Ranked
from eunoe.domain.recall import searched_role, spoken
from eunoe.store import codec, messages
from eunoe.store.db import Row, Tx, from_micros, optional_time, unindexed
from eunoe.store.search_index import numbers


async def passage_hits(tx: Tx, ranked: Sequence[Ranked]) -> list[PassageHit]:
    """Return the passages at the ranked places, in that order; one that is gone is left out.

    So are their vectors: they would be most of what is read, and of an answer.
    """
    rows = await tx.fetch(
        "SELECT passages.seq, passages.id, passages.archive_id, passages.text, passages.tags_json,"
        " passages.metadata_json, passages.created_by_id, passages.last_updated_by_id,"
        " passages.created_at, passages.updated_at, archives.embedding_json, passages.file_id"
        " FROM passages JOIN archives ON archives.id = passages.archive_id"
        f" WHERE passages.seq IN {numbers(tx, '$1')} AND passages.organization_id = $2",
        codec.encode([one.key for one in ranked]),
        tx.actor.organization_id,
    )
    found = {row[0]: _passage(row) for row in rows}
    return [
        PassageHit(
            passage=found[one.key],
            score=one.score,
            text_rank=one.text_rank,
            vector_rank=one.vector_rank,
        )
        for one in ranked
        if one.key in found
    ]


def _passage(row: Row) -> Passage:
    return Passage(
        id=row[1],
        archive_id=row[2],
        text=row[3],
        tags=tuple(codec.loads(row[4])),
        metadata=codec.loads(row[5]),
        created_by_id=row[6],
        last_updated_by_id=row[7],
        file_id=row[11],
        created_at=from_micros(row[8]),
        updated_at=optional_time(row[9]),
        embedding=codec.optional(codec.embedding_config, row[10]),
    )


async def message_hits(tx: Tx, ranked: Sequence[Ranked]) -> list[MessageHit]:
    """Return the messages at the ranked places, in that order; one that is gone is left out."""
    placed = await messages.placed(
        tx,
        f"seq IN {numbers(tx, '$1')} AND {unindexed('organization_id')} = $2",
        codec.encode([one.key for one in ranked]),
        tx.actor.organization_id,
    )
    found = dict(placed)
    return [_message_hit(found[one.key], one) for one in ranked if one.key in found]


def _message_hit(message: Message, ranked: Ranked) -> MessageHit:
    return MessageHit(
        message_id=message.id,
        agent_id=message.agent_id,
        conversation_id=message.conversation_id,
        role=searched_role(message.role),
        text=spoken(message),
        created_at=message.created_at,
        score=ranked.score,
        text_rank=ranked.text_rank,
        vector_rank=ranked.vector_rank,
    )
