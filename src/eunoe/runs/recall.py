"""What an agent finds again: its tools' searches over the store, and vectors for what has none."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, Protocol, TypeVar

import structlog

from eunoe.domain.agents import Agent
from eunoe.domain.passages import Archive, MessageHit, PassageHit
from eunoe.domain.recall import MessageQuery, PassageQuery, QueryVector
from eunoe.engine.ports import Embedder
from eunoe.errors import ModelError
from eunoe.runs.ports import Models, embedder_of
from eunoe.store import archives, search
from eunoe.store.db import Actor, Database, Tx
from eunoe.tools.recall import vector_of

Q = TypeVar("Q", MessageQuery, PassageQuery)
Qc = TypeVar("Qc", MessageQuery, PassageQuery, contravariant=True)
H = TypeVar("H", MessageHit, PassageHit)
Hc = TypeVar("Hc", MessageHit, PassageHit, covariant=True)

_log = structlog.get_logger("eunoe.recall")

_BATCH: Final = 32
_CATCH_UP: Final = 64
_CATCH_UP_S: Final = 1.0
_EMBEDDED_CHARS: Final = 8_000


class _Find(Protocol[Qc, Hc]):
    async def __call__(
        self, tx: Tx, query: Qc, /, *, vector: QueryVector | None, words: search.WordScores | None
    ) -> Sequence[Hc]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecall:
    """The searches of one agent: everything it said in any conversation, and its one archive.

    What it says has vectors of its own embedder, what is kept those of the archive's.
    """

    db: Database
    actor: Actor
    agent: Agent
    models: Models

    async def conversations(self, query: MessageQuery) -> list[MessageHit]:
        embedder = embedder_of(self.models, self.agent)
        if query.text.strip() and embedder is not None:
            await self._catch_up(embedder)
        own, vector = replace(query, agent_id=self.agent.id), partial(self._vector, self.agent)
        return await found(
            self.db, self.actor, own, vector, search.score_messages, search.find_messages
        )

    async def _catch_up(self, embedder: Embedder) -> None:
        """Give vectors to what was said last; only agents that search pay for them.

        Whatever cannot be done at once is found by its words, and gets its vector later.
        """
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                await embed_pending(self.db, self.actor, self.agent, embedder, most=_CATCH_UP)
        except (ModelError, TimeoutError) as error:
            _log.warning("recall.not_caught_up", reason=type(error).__name__)

    async def archive(self, query: PassageQuery) -> list[PassageHit]:
        archive = await self._archive()
        if archive is None:
            return []
        own, vector = replace(query, archive_id=archive.id), partial(self._vector, archive)
        return await found(
            self.db, self.actor, own, vector, search.score_passages, search.find_passages
        )

    async def vector_to_keep(self, text: str) -> QueryVector | None:
        # An archive that is yet to be made gets the agent's embedder.
        return await self._vector(await self._archive() or self.agent, text, purpose="store")

    async def _archive(self) -> Archive | None:
        async with self.db.read(self.actor) as tx:
            return await archives.attached(tx, self.agent.id)

    async def _vector(
        self, owner: Agent | Archive, text: str, *, purpose: Literal["store", "search"] = "search"
    ) -> QueryVector | None:
        embedder = embedder_of(self.models, owner)
        values = await vector_of(text, embedder=embedder, purpose=purpose)
        if values is None or owner.embedding is None:
            return None
        return QueryVector(embedder=owner.embedding.handle, values=values)


async def found(
    db: Database,
    actor: Actor,
    query: Q,
    embed: Callable[[str], Coroutine[Any, Any, QueryVector | None]],
    score: Callable[[Tx, Q], Awaitable[search.WordScores]],
    find: _Find[Q, H],
) -> list[H]:
    """Search the words while the model makes the vector, then search by it and fuse."""
    embedding = asyncio.create_task(embed(query.text))
    try:
        async with db.read(actor, long=True) as tx:
            words = await score(tx, query)
        vector = await embedding
    finally:
        if not embedding.done():
            embedding.cancel()
            with suppress(asyncio.CancelledError):
                await embedding
    async with db.read(actor, long=True) as tx:
        return list(await find(tx, query, vector=vector, words=words))


async def embed_pending(
    db: Database,
    actor: Actor,
    owner: Agent | Archive,
    embedder: Embedder,
    *,
    most: int | None = None,
) -> int:
    """Give vectors to at most so many of an agent's messages, or an archive's passages, without.

    Returns how many got one. Newest first, in batches of their own, so that what is asked for
    soonest is ready soonest and a failure keeps what was done. Raises `errors.ModelError`; call
    it again then.
    """
    if owner.embedding is None:
        return 0
    pending, store = search.unembedded_messages, search.index_message_vectors
    if isinstance(owner, Archive):
        pending, store = search.unembedded_passages, search.index_passage_vectors
    batch = owner.embedding.batch_size or _BATCH
    done = 0
    while most is None or done < most:
        async with db.read(actor) as tx:
            size = batch if most is None else min(batch, most - done)
            rows = await pending(tx, owner.id, limit=size)
        if not rows:
            break
        vectors = await embedder.embed(
            [text[:_EMBEDDED_CHARS] for _, text in rows], purpose="store"
        )
        async with db.write(actor) as tx:
            pairs = [(seq, v) for (seq, _), v in zip(rows, vectors, strict=True)]
            await store(tx, owner.embedding.handle, pairs)
        done += len(rows)
    return done
