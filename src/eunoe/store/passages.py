"""Queries on passages, the texts in an archive; `search` finds them by words and meaning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from eunoe.domain.passages import Passage
from eunoe.store import codec, own, search
from eunoe.store.db import Tx, among, unindexed
from eunoe.store.mapping import CHANGED, LIST, OBJECT, elsewhere, mapped
from eunoe.store.paging import Page
from eunoe.store.where import Where, of_organization

_PASSAGES: Final = mapped(
    Passage,
    "passages",
    noun="passage",
    joined="JOIN archives ON archives.id = passages.archive_id"
    " LEFT JOIN files ON files.id = passages.file_id",
    kept={
        **CHANGED,
        "tags": LIST,
        "metadata": OBJECT,
        "embedding": elsewhere("archives.embedding_json", codec.embedding_config),
        "file_name": elsewhere("files.name"),
    },
    without=("vector",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageFilter:
    """What is asked of a list of passages (api 14.4); null asks for nothing."""

    archive_id: str | None = None
    agent_id: str | None = None
    search: str | None = None


async def insert(tx: Tx, passages: Sequence[Passage]) -> list[int]:
    """Store passages, all or none, and index them; return their places, in order."""
    if not passages:
        return []
    dated = [replace(one, updated_at=one.updated_at or one.created_at) for one in passages]
    await own.insert_many(tx, _PASSAGES, dated)
    rows = await tx.fetch(
        f"SELECT id, seq FROM passages WHERE id {among(tx, '$1')}",
        codec.encode([passage.id for passage in passages]),
    )
    places: dict[str, int] = {row[0]: row[1] for row in rows}
    seqs = [places[passage.id] for passage in passages]
    tagged = [
        (seq, codec.findable(tag))
        for seq, passage in zip(seqs, passages, strict=True)
        for tag in dict.fromkeys(passage.tags)
    ]
    if tagged:
        await tx.execute_many("INSERT INTO passage_tags (passage_seq, tag) VALUES ($1, $2)", tagged)
    await search.index_passages(tx, passages, seqs)
    return seqs


async def of_archives(tx: Tx, archive_ids: Sequence[str]) -> list[Passage]:
    """Return all passages of the archives, without vectors, in the order they were kept."""
    return await own.select(
        tx,
        _PASSAGES,
        f"WHERE passages.archive_id {among(tx, '$1')}"
        f" AND {unindexed('passages.organization_id')} = $2 ORDER BY passages.seq",
        codec.encode(list(archive_ids)),
        tx.actor.organization_id,
    )


async def get(tx: Tx, passage_id: str) -> Passage | None:
    """Return a passage, without its vector."""
    return await own.get(tx, _PASSAGES, passage_id)


async def list_passages(tx: Tx, where: PassageFilter, page: Page) -> list[Passage]:
    """Return a page of passages, without vectors, in at most two statements."""
    return await own.page(tx, _PASSAGES, _where(tx, where), page)


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
    return await own.delete(tx, "passages", passage_id)


def _where(tx: Tx, asked: PassageFilter) -> Where:
    where = of_organization(tx, "passages").equal(archive_id=asked.archive_id)
    where.linked(
        "passages.archive_id = (SELECT archive_id FROM agents_archives WHERE agent_id = {})",
        asked.agent_id,
    )
    return where.contains(text=asked.search)
