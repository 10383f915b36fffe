"""Queries on passages, the texts in an archive; `search` finds them by words and meaning."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eunoe.domain.passages import Passage
from eunoe.store import codec, search
from eunoe.store.db import (
    Row,
    Tx,
    Value,
    among,
    from_micros,
    optional_micros,
    optional_time,
    to_micros,
    unindexed,
)
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where, of_organization

_PLAIN: Final = ("id", "archive_id", "file_id", "text", "created_by_id", "last_updated_by_id")
_FIELDS: Final = (*_PLAIN, "tags_json", "metadata_json", "created_at", "updated_at")
_COLUMNS: Final = (
    f"{', '.join(f'passages.{name}' for name in _FIELDS)}, archives.embedding_json, files.name"
)
_JOINED: Final = (
    "JOIN archives ON archives.id = passages.archive_id"
    " LEFT JOIN files ON files.id = passages.file_id"
)
_LISTING: Final = Listing(noun="passage", table="passages", columns=_COLUMNS, joined=_JOINED)
_INSERT: Final = (
    f"INSERT INTO passages ({', '.join(_FIELDS)}, organization_id)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageFilter:
    """What is asked of a list of passages (api 14.4); both times are exclusive."""

    archive_id: str | None = None
    agent_id: str | None = None
    search: str | None = None
    tags: tuple[str, ...] = ()
    match_all_tags: bool = False
    start: datetime | None = None
    end: datetime | None = None


async def insert(tx: Tx, passages: Sequence[Passage]) -> list[int]:
    """Store passages, all or none, and index them; return their places, in order."""
    if not passages:
        return []
    await tx.execute_many(_INSERT, [_values(tx, passage) for passage in passages])
    rows = await tx.fetch(
        f"SELECT id, seq FROM passages WHERE id {among(tx, '$1')}",
        codec.encode([passage.id for passage in passages]),
    )
    places: dict[str, int] = {row[0]: row[1] for row in rows}
    seqs = [places[passage.id] for passage in passages]
    tagged = [
        (seq, tag)
        for seq, passage in zip(seqs, passages, strict=True)
        for tag in dict.fromkeys(passage.tags)
    ]
    if tagged:
        await tx.execute_many("INSERT INTO passage_tags (passage_seq, tag) VALUES ($1, $2)", tagged)
    await search.index_passages(tx, passages, seqs)
    return seqs


def _values(tx: Tx, passage: Passage) -> tuple[Value, ...]:
    return (
        passage.id,
        passage.archive_id,
        passage.file_id,
        passage.text,
        passage.created_by_id,
        passage.last_updated_by_id,
        codec.encode(passage.tags),
        codec.encode(passage.metadata),
        to_micros(passage.created_at),
        to_micros(passage.updated_at or passage.created_at),
        tx.actor.organization_id,
    )


async def of_archives(tx: Tx, archive_ids: Sequence[str]) -> list[Passage]:
    """Return all passages of the archives, without vectors, in the order they were kept."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM passages {_JOINED}"
        f" WHERE passages.archive_id {among(tx, '$1')}"
        f" AND {unindexed('passages.organization_id')} = $2 ORDER BY passages.seq",
        codec.encode(list(archive_ids)),
        tx.actor.organization_id,
    )
    return [_read(row) for row in rows]


async def get(tx: Tx, passage_id: str) -> Passage | None:
    """Return a passage, without its vector."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM passages {_JOINED}"
        " WHERE passages.id = $1 AND passages.organization_id = $2",
        passage_id,
        tx.actor.organization_id,
    )
    return None if row is None else _read(row)


async def list_passages(tx: Tx, where: PassageFilter, page: Page) -> list[Passage]:
    """Return a page of passages, without vectors, in at most two statements."""
    return [_read(row) for row in await listing(tx, _LISTING, _where(tx, where), page)]


async def count(tx: Tx, where: PassageFilter) -> int:
    asked = _where(tx, where)
    found: int = await tx.fetch_value(
        f"SELECT COUNT(*) FROM passages WHERE {asked.sql}", *asked.args
    )
    return found


async def delete_of_file(tx: Tx, file_id: str) -> None:
    """Remove what was cut out of a file, and its index entries."""
    await tx.execute(
        "DELETE FROM passages WHERE file_id = $1 AND organization_id = $2",
        file_id,
        tx.actor.organization_id,
    )


async def vector_bytes(tx: Tx) -> int:
    """Return how much room the vectors of the organization's passages take."""
    length = "length" if tx.dialect == "sqlite" else "pg_column_size"
    found: int | None = await tx.fetch_value(
        f"SELECT CAST(SUM({length}(passage_vectors.vector)) AS BIGINT) FROM passage_vectors"
        " JOIN passages ON passages.seq = passage_vectors.seq WHERE passages.organization_id = $1",
        tx.actor.organization_id,
    )
    return found or 0


async def delete(tx: Tx, passage_id: str) -> bool:
    """Remove a passage and its index entries; whether there was one."""
    return bool(
        await tx.execute(
            "DELETE FROM passages WHERE id = $1 AND organization_id = $2",
            passage_id,
            tx.actor.organization_id,
        )
    )


def _where(tx: Tx, asked: PassageFilter) -> Where:
    where = of_organization(tx, "passages").equal(archive_id=asked.archive_id)
    where.linked(
        "passages.archive_id = (SELECT archive_id FROM agents_archives WHERE agent_id = {})",
        asked.agent_id,
    )
    where.contains(text=asked.search)
    where.tagged("passages.tags_json", asked.tags, every=asked.match_all_tags)
    for sign, bound in ((">", asked.start), ("<", asked.end)):
        if bound is not None:
            where.add(f"passages.created_at {sign} {{}}", optional_micros(bound))
    return where


def _read(row: Row) -> Passage:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=False))
    return Passage(
        **{name: stored[name] for name in _PLAIN},
        tags=tuple(codec.loads(stored["tags_json"])),
        metadata=codec.loads_object(stored["metadata_json"]) or {},
        embedding=codec.optional(codec.embedding_config, row[len(_FIELDS)]),
        file_name=row[len(_FIELDS) + 1],
        created_at=from_micros(stored["created_at"]),
        updated_at=optional_time(stored["updated_at"]),
    )
