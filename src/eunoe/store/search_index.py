"""Writing the indexes that `search` reads. Rows leave them by the schema's own triggers.

What is written with a message costs the reply's transaction one statement and no
model; vectors come later, from whoever has an embedder and time.
"""

import math
import re
from array import array
from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never

from eunoe.domain.messages import Message
from eunoe.domain.passages import Passage
from eunoe.domain.recall import day, speaker, spoken
from eunoe.domain.wellformed import well_formed
from eunoe.domain.words import indexed_words
from eunoe.store.codec import encode
from eunoe.store.db import Tx, unindexed
from eunoe.store.messages import placed

Vectors: TypeAlias = Sequence[tuple[int, Sequence[float]]]
"""Pairs of a place and the vector of what stands there."""

_PASSAGE_CHARS: Final = 200_000
_NOT_HEX: Final = re.compile("[^0-9a-f]")
_BYTE: Final = 127
_WIDEST: Final = 8.0
_LONGEST_IN_BYTES: Final = 512


async def index_messages(tx: Tx, messages: Sequence[Message], seqs: Sequence[int]) -> None:
    """Make what `messages` say findable by its words; `seqs` are their places.

    At most one statement. Calling it again for a message replaces its entry.
    """
    said = [
        (seq, message, text)
        for message, seq in zip(messages, seqs, strict=True)
        if (text := spoken(message))
    ]
    if not said:
        return
    match tx.dialect:
        case "sqlite":
            await tx.execute_many(
                "INSERT OR REPLACE INTO message_fts (rowid, scope, text, speaker, day)"
                " VALUES ($1, $2, $3, $4, $5)",
                [
                    (seq, scope(message.agent_id), *_message_words(message, text))
                    for seq, message, text in said
                ],
            )
        case "postgresql":
            await tx.execute_many(
                "INSERT INTO message_texts (seq, agent_id, words) VALUES ($1, $2,"
                " strip(to_tsvector('english', $3)) ||"
                " setweight(to_tsvector('english', $4), 'C'))"
                " ON CONFLICT (seq) DO UPDATE SET words = excluded.words",
                [
                    (seq, message.agent_id, body, f"{who} {when}")
                    for seq, message, text in said
                    for body, who, when in [_message_words(message, text)]
                ],
            )
        case _:
            assert_never(tx.dialect)


def _message_words(message: Message, text: str) -> tuple[str, str, str]:
    return (
        indexed_words(text),
        indexed_words(speaker(message)),
        indexed_words(day(message.created_at)),
    )


async def index_passages(tx: Tx, passages: Sequence[Passage], seqs: Sequence[int]) -> None:
    """Make `passages` findable, by their words and by the vectors of those that have one.

    `seqs` are their places in the table. Calling it again for a passage replaces its entry.
    """
    rows = [
        (
            seq,
            indexed_words(well_formed(passage.text[:_PASSAGE_CHARS])),
            indexed_words(" ".join(passage.tags)),
            passage.archive_id,
        )
        for passage, seq in zip(passages, seqs, strict=True)
    ]
    match tx.dialect:
        case "sqlite":
            await tx.execute_many(
                "INSERT OR REPLACE INTO passage_fts (rowid, text, tags, scope)"
                " VALUES ($1, $2, $3, $4)",
                [(seq, text, tags, scope(archive_id)) for seq, text, tags, archive_id in rows],
            )
        case "postgresql":
            await tx.execute_many(
                "INSERT INTO passage_texts (seq, words, archive_id) VALUES ($1,"
                " setweight(to_tsvector('english', $2), 'A') ||"
                " setweight(to_tsvector('english', $3), 'C'), $4)"
                " ON CONFLICT (seq) DO UPDATE SET words = excluded.words",
                rows,
            )
        case _:
            assert_never(tx.dialect)
    await _drop_passage_vectors(tx, seqs)
    seen: dict[str, list[tuple[int, Sequence[float]]]] = {}
    for passage, seq in zip(passages, seqs, strict=True):
        if passage.vector is not None and passage.embedding is not None:
            seen.setdefault(passage.embedding.handle, []).append((seq, passage.vector))
    for embedder, vectors in seen.items():
        await index_passage_vectors(tx, embedder, vectors)


async def unindex_passages(tx: Tx, seqs: Sequence[int]) -> None:
    """Take passages out of the index while their rows stay, so that no search finds them.

    A deleted row leaves by itself.
    """
    table = "passage_fts" if tx.dialect == "sqlite" else "passage_texts"
    key = "rowid" if tx.dialect == "sqlite" else "seq"
    await tx.execute(f"DELETE FROM {table} WHERE {key} IN {numbers(tx, '$1')}", encode(list(seqs)))
    await _drop_passage_vectors(tx, seqs)


async def _drop_passage_vectors(tx: Tx, seqs: Sequence[int]) -> None:
    places = encode(list(seqs))
    if tx.dialect == "sqlite":
        await tx.execute(
            "DELETE FROM passage_codes WHERE (archive_id, seq) IN"
            f" (SELECT archive_id, seq FROM passages WHERE seq IN {numbers(tx, '$1')})",
            places,
        )
    await tx.execute(f"DELETE FROM passage_vectors WHERE seq IN {numbers(tx, '$1')}", places)


async def index_passage_vectors(tx: Tx, embedder: str, vectors: Vectors) -> None:
    """Store the vectors of passages, by place, as the embedder with this handle made them.

    A passage that is gone by now is left out.
    """
    rows = [(seq, vector) for seq, vector in vectors if is_usable(vector)]
    if tx.dialect == "sqlite":
        await tx.execute_many(
            "INSERT OR REPLACE INTO passage_codes (archive_id, seq, embedder, code)"
            " SELECT archive_id, seq, $2, $3 FROM passages WHERE seq = $1",
            [(seq, embedder, scanned(vector)) for seq, vector in rows],
        )
        await tx.execute_many(
            "INSERT OR REPLACE INTO passage_vectors (seq, vector)"
            " SELECT seq, $2 FROM passages WHERE seq = $1",
            [(seq, packed(vector)) for seq, vector in rows],
        )
    else:
        await tx.execute_many(
            "INSERT INTO passage_vectors (archive_id, seq, embedder, vector)"
            " SELECT archive_id, seq, $2, $3::text::vector FROM passages WHERE seq = $1"
            " ON CONFLICT (seq) DO UPDATE"
            " SET embedder = excluded.embedder, vector = excluded.vector",
            [(seq, embedder, literal(vector)) for seq, vector in rows],
        )
        await tx.execute_many(
            "INSERT INTO passage_codes (archive_id, seq, embedder, code)"
            " SELECT archive_id, seq, embedder, binary_quantize(vector) FROM passage_vectors"
            " WHERE seq = $1 ON CONFLICT (seq) DO UPDATE"
            " SET embedder = excluded.embedder, code = excluded.code",
            [(seq,) for seq, vector in rows if is_scanned_by_signs(vector)],
        )
    await tx.execute_many(
        "UPDATE passages SET embedder = $2 WHERE seq = $1", [(seq, embedder) for seq, _ in vectors]
    )


async def index_message_vectors(tx: Tx, embedder: str, vectors: Vectors) -> None:
    """Store the vectors of messages, by place; one that is gone by now is left out."""
    rows = [(seq, vector) for seq, vector in vectors if is_usable(vector)]
    if tx.dialect == "sqlite":
        await tx.execute_many(
            "INSERT OR REPLACE INTO message_vectors (agent_id, seq, embedder, code)"
            " SELECT agent_id, seq, $2, $3 FROM messages WHERE seq = $1",
            [(seq, embedder, coded(vector)) for seq, vector in rows],
        )
    else:
        await tx.execute_many(
            "INSERT INTO message_vectors (agent_id, seq, embedder, vector)"
            " SELECT agent_id, seq, $2, $3::text::vector FROM messages WHERE seq = $1"
            " ON CONFLICT (seq) DO UPDATE"
            " SET embedder = excluded.embedder, vector = excluded.vector",
            [(seq, embedder, literal(vector)) for seq, vector in rows],
        )
    await tx.execute_many(
        "UPDATE messages SET embedder = $2 WHERE seq = $1", [(seq, embedder) for seq, _ in vectors]
    )


async def unembedded_messages(tx: Tx, agent_id: str, *, limit: int) -> list[tuple[int, str]]:
    """Return place and text of the agent's messages that no embedder has seen, newest first."""
    found = await placed(
        tx,
        f"agent_id = $1 AND findable = 1 AND embedder IS NULL"
        f" AND {unindexed('organization_id')} = $2 ORDER BY seq DESC LIMIT $3",
        agent_id,
        tx.actor.organization_id,
        limit,
    )
    return [(seq, spoken(message)) for seq, message in found]


async def unembedded_passages(tx: Tx, archive_id: str, *, limit: int) -> list[tuple[int, str]]:
    """Return place and text of an archive's passages without a vector, newest first."""
    rows = await tx.fetch(
        "SELECT seq, text FROM passages WHERE archive_id = $1 AND embedder IS NULL"
        f" AND {unindexed('organization_id')} = $2 ORDER BY seq DESC LIMIT $3",
        archive_id,
        tx.actor.organization_id,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def pending_archives(tx: Tx) -> list[str]:
    """Return organization and id, with a space between, of archives with passages to embed.

    Those of every organization, but not of folders: what is in files is embedded with them.
    """
    rows = await tx.fetch(
        "SELECT organization_id, id FROM archives WHERE embedding_json IS NOT NULL"
        " AND folder_id IS NULL AND EXISTS (SELECT 1 FROM passages"
        " WHERE passages.archive_id = archives.id AND passages.embedder IS NULL)"
    )
    return [f"{row[0]} {row[1]}" for row in rows]


async def unembedded_of_file(tx: Tx, file_id: str, *, limit: int) -> list[tuple[int, str]]:
    """Return place and text of a file's passages that no embedder has seen, in their order."""
    rows = await tx.fetch(
        "SELECT seq, text FROM passages WHERE file_id = $1 AND embedder IS NULL"
        " AND organization_id = $2 ORDER BY seq LIMIT $3",
        file_id,
        tx.actor.organization_id,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


def scope(owner_id: str) -> str:
    """Return the one word by which the entries of an archive or agent are told from others'.

    The last letter is a digit, or else the stemmer would cut the word. It is put into queries
    as it is, so nothing but hexadecimal digits gets through, whatever a caller calls an id.
    """
    return f"x{_NOT_HEX.sub('', owner_id[-36:])}0"


def numbers(tx: Tx, placeholder: str) -> str:
    """Return SQL for the integers of a JSON array bound at `placeholder`, to stand after IN."""
    if tx.dialect == "sqlite":
        return f"(SELECT value FROM json_each({placeholder}))"
    return (
        "(SELECT one.value::bigint FROM"
        f" jsonb_array_elements_text({placeholder}::jsonb) AS one (value))"
    )


def is_usable(vector: Sequence[float]) -> bool:
    """Whether a vector has a direction; one of zeros or of no numbers is near to nothing."""
    return 0.0 < math.hypot(*vector) < math.inf


def packed(vector: Sequence[float]) -> bytes:
    """Return a vector as 32-bit floats."""
    return array("f", vector).tobytes()


def coded(vector: Sequence[float]) -> bytes:
    """Return a vector as signed bytes of one scale for all, whatever its length.

    Parts of a unit vector are about one over the root of their number; eight times that
    is the most a byte holds, and the few parts beyond are as large for every text of a model.
    """
    length = math.hypot(*vector)
    scale = _BYTE * math.sqrt(len(vector)) / (_WIDEST * length) if length else 0.0
    # Cut, not rounded: it is the fastest way, and the same for all vectors that are compared.
    parts = [int(part * scale) for part in vector]
    if max(parts) > _BYTE or min(parts) < -_BYTE:
        parts = [max(-_BYTE, min(_BYTE, part)) for part in parts]
    return array("b", parts).tobytes()


def is_scanned_by_signs(vector: Sequence[float]) -> bool:
    """Whether a vector is so long that its bytes would not fit a row into its page.

    The signs of many dimensions say as much of an angle as the bytes of few.
    """
    return len(vector) > _LONGEST_IN_BYTES and len(vector) % 8 == 0


def scanned(vector: Sequence[float]) -> bytes:
    """Return what the first, coarse scan of passages reads of a vector: its bytes or its signs."""
    if not is_scanned_by_signs(vector):
        return coded(vector)
    signs = "".join("1" if part > 0 else "0" for part in reversed(vector))
    return int(signs, 2).to_bytes(len(vector) // 8, "little")


def literal(vector: Sequence[float]) -> str:
    """Return a vector as PostgreSQL reads it."""
    return f"[{','.join(map(repr, vector))}]"
