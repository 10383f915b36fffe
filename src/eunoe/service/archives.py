"""Archives and the passages in them (api 14): each is kept whole, with a vector if it can be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from eunoe import ids
from eunoe.domain.drafts import PassageDraft
from eunoe.domain.models import EmbeddingConfig
from eunoe.domain.moments import moment
from eunoe.domain.passages import Archive, Passage, PassageHit, PassageVersion
from eunoe.domain.recall import PassageQuery, QueryVector
from eunoe.errors import EunoeError, Invalid, Missing
from eunoe.runs.recall import found
from eunoe.service import states
from eunoe.service.models import Defaults, Models, embedding_of
from eunoe.service.stamps import made_by, touched_by
from eunoe.store import archives, audit, passage_versions, passages, search
from eunoe.store.archives import ArchiveFilter
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there
from eunoe.store.paging import Page

MAX_PASSAGE_BYTES: Final = 4 * 8_192
"""How long a text an agent's archive takes: 8192 tokens of about four bytes (14.4)."""

_ASKED: Final = Page(limit=50)
"""The archives that are looked at for an embedder, where there is no default one."""

_log = structlog.get_logger("eunoe.archives")


async def create(
    db: Database,
    actor: Actor,
    *,
    name: str,
    description: str | None,
    embedding: str | None,
    models: Models,
    defaults: Defaults,
) -> Archive:
    archive = Archive(
        id=ids.new("archive"),
        name=name,
        description=description,
        embedding=await embedding_of(embedding, models=models, defaults=defaults),
        **made_by(actor),
    )
    async with db.write(actor) as tx:
        await archives.insert(tx, archive)
    return archive


async def known(tx: Tx, archive_id: str, *, held: bool = False) -> Archive:
    """Return the archive; raise `Missing` for an unknown or foreign one."""
    return there(await archives.get(tx, archive_id, held=held), "archive", archive_id)


async def update(
    db: Database, actor: Actor, archive_id: str, *, name: str | None, description: str | None
) -> Archive:
    """Change what an archive is called and for; null keeps it (14.1)."""
    async with db.write(actor) as tx:
        archive = await known(tx, archive_id, held=True)
        changed = replace(
            archive,
            name=archive.name if name is None else name,
            description=archive.description if description is None else description,
            **touched_by(actor),
        )
        await archives.update(tx, changed)
    return changed


async def delete(db: Database, actor: Actor, archive_id: str) -> None:
    """Remove an archive with its passages and its links to agents."""
    async with db.write(actor) as tx:
        there(await archives.delete(tx, archive_id), "archive", archive_id)
        await audit.note(tx, "archive.delete", archive_id)


async def attach(db: Database, actor: Actor, agent_id: str, archive_id: str) -> None:
    """Give the agent an archive; again is no change, a second one `ArchiveAttached` (6.70)."""
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        await known(tx, archive_id)
        await archives.attach(tx, agent_id, archive_id)


async def detach(db: Database, actor: Actor, agent_id: str, archive_id: str) -> None:
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        await known(tx, archive_id)
        await archives.detach(tx, agent_id, archive_id)


# Passages


async def add(
    db: Database, actor: Actor, archive_id: str, drafts: Sequence[PassageDraft], *, models: Models
) -> list[Passage]:
    """Keep texts in an archive, all or none, each with a vector if the embedder answers.

    A text without a vector is found by its words; an embedder that is down loses nothing.
    """
    async with db.read(actor) as tx:
        archive = await known(tx, archive_id)
    vectors = await vectors_of([draft.text for draft in drafts], archive.embedding, models=models)
    async with db.write(actor) as tx:
        await known(tx, archive_id)
        return await _insert(tx, archive, drafts, vectors)


async def remember(
    db: Database, actor: Actor, agent_id: str, draft: PassageDraft, *, models: Models
) -> Passage:
    """Keep a text in the agent's archive, which is made on first use (14.4)."""
    if len(draft.text.encode()) > MAX_PASSAGE_BYTES:
        raise Invalid("The text has more than 8192 tokens; keep it in several passages.")
    async with db.read(actor) as tx:
        agent = await states.known(tx, agent_id)
        embedding = (await archives.attached(tx, agent_id) or agent).embedding
    vectors = await vectors_of([draft.text], embedding, models=models)
    async with db.write(actor) as tx:
        archive = await archives.of_agent(tx, await states.known(tx, agent_id))
        if archive.embedding != embedding:
            vectors = [None]
        return (await _insert(tx, archive, [draft], vectors))[0]


async def forget(db: Database, actor: Actor, passage_id: str, *, archive_id: str) -> None:
    """Delete a passage of an archive; one that is elsewhere is `Invalid` (14.3)."""
    async with db.write(actor) as tx:
        await known(tx, archive_id)
        passage = there(await passages.get(tx, passage_id), "passage", passage_id)
        if archive_id != passage.archive_id:
            raise Invalid(f"The passage {passage_id} is not in the archive {archive_id}.")
        await _forgotten(tx, passage)


async def forget_of_agent(db: Database, actor: Actor, agent_id: str, passage_id: str) -> None:
    """Remove a passage of the agent's archive; raise `Missing` where it has none such."""
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        archive = await archives.attached(tx, agent_id)
        passage = await passages.get(tx, passage_id)
        if archive is None or passage is None or passage.archive_id != archive.id:
            raise Missing(f"The agent {agent_id} has no passage {passage_id}.")
        await _forgotten(tx, passage)


async def _forgotten(tx: Tx, passage: Passage) -> None:
    await passage_versions.record(tx, [passage], "deleted")
    await passages.delete(tx, passage.id)
    await audit.note(tx, "passage.delete", passage.id)


async def history(db: Database, actor: Actor, passage_id: str, page: Page) -> list[PassageVersion]:
    """Return a page of what became of a passage, also after it was deleted.

    Raises `Missing` where neither a passage nor a record of one is there.
    """
    async with db.read(actor) as tx:
        found = await passage_versions.page_of(tx, passage_id, page)
        if not found and await passages.get(tx, passage_id) is None:
            raise Missing(f"There is no passage {passage_id}.")
        return found


async def vectors_of(
    texts: Sequence[str], embedding: EmbeddingConfig | None, *, models: Models
) -> list[tuple[float, ...] | None]:
    """Return a vector for each text, all null where there is no embedder or it does not answer."""
    if embedding is None or not texts:
        return [None] * len(texts)
    try:
        return list(await models.embedder_for(embedding).embed(texts, purpose="store"))
    except EunoeError as error:
        _log.warning("archives.not_embedded", handle=embedding.handle, code=error.code)
        return [None] * len(texts)


async def query_vector(
    text: str, embedding: EmbeddingConfig | None, *, models: Models
) -> QueryVector | None:
    """Return a query as the embedder sees it, null where only words can be searched."""
    if embedding is None or not text.strip():
        return None
    try:
        found = await models.embedder_for(embedding).embed([text], purpose="search")
    except EunoeError as error:
        _log.warning("archives.query_not_embedded", handle=embedding.handle, code=error.code)
        return None
    return QueryVector(embedder=embedding.handle, values=found[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What a search of an agent's archive found, and the zone in which its times are shown."""

    hits: list[PassageHit]
    timezone: str


async def recall(
    db: Database,
    actor: Actor,
    agent_id: str,
    query: PassageQuery,
    *,
    start: str | None,
    end: str | None,
    models: Models,
) -> Recalled:
    """Search the agent's archive; blank text finds nothing, and so does an agent without one.

    `start` and `end` are ISO 8601; without an offset they are in the agent's zone (14.4.1).
    """
    async with db.read(actor) as tx:
        agent = await states.known(tx, agent_id)
        archive = await archives.attached(tx, agent_id)
    zone = agent.timezone
    query = replace(
        query,
        since=moment(start, parameter="start_datetime", timezone=zone) if start else None,
        until=moment(end, parameter="end_datetime", timezone=zone, end=True) if end else None,
    )
    if archive is None or not query.text.strip():
        return Recalled(hits=[], timezone=zone)
    query = replace(query, archive_id=archive.id)
    hits = await _found(db, actor, query, archive.embedding, models=models)
    return Recalled(hits=hits, timezone=zone)


async def find(
    db: Database,
    actor: Actor,
    query: PassageQuery,
    *,
    agent_id: str | None,
    models: Models,
    defaults: Defaults,
) -> list[PassageHit]:
    """Search an agent's archive, one archive, or the whole organization (14.5)."""
    async with db.read(actor) as tx:
        if agent_id is not None:
            await states.known(tx, agent_id)
            archive = await archives.attached(tx, agent_id)
            if archive is None:
                return []
        else:
            archive = None if query.archive_id is None else await known(tx, query.archive_id)
        is_asked = archive is None and defaults.embedding is None
        others = await archives.list_archives(tx, ArchiveFilter(), _ASKED) if is_asked else []
    if archive is None:
        embedding = await embedding_of(None, models=models, defaults=defaults)
        embedding = embedding or next((one.embedding for one in others if one.embedding), None)
    else:
        embedding = archive.embedding
        query = replace(query, archive_id=archive.id)
    return await _found(db, actor, query, embedding, models=models)


async def _found(
    db: Database,
    actor: Actor,
    query: PassageQuery,
    embedding: EmbeddingConfig | None,
    *,
    models: Models,
) -> list[PassageHit]:
    async def embed(text: str) -> QueryVector | None:
        return await query_vector(text, embedding, models=models)

    return await found(db, actor, query, embed, search.score_passages, search.find_passages)


async def _insert(
    tx: Tx,
    archive: Archive,
    drafts: Sequence[PassageDraft],
    vectors: Sequence[tuple[float, ...] | None],
) -> list[Passage]:
    now = datetime.now(UTC)
    made = [
        Passage(
            id=ids.new("passage"),
            archive_id=archive.id,
            text=draft.text,
            tags=draft.tags,
            metadata=draft.metadata,
            vector=vector,
            embedding=None if vector is None else archive.embedding,
            created_by_id=tx.actor.user_id,
            last_updated_by_id=tx.actor.user_id,
            created_at=draft.created_at or now,
            updated_at=now,
        )
        for draft, vector in zip(drafts, vectors, strict=True)
    ]
    await passages.insert(tx, made)
    await passage_versions.record(tx, made, "created")
    return made
