"""Searching messages by words, and by meaning where there is an embedder."""

import logging
from typing import Final

from eunoe.domain.messages import Message
from eunoe.domain.passages import MessageHit
from eunoe.domain.recall import MessageQuery, QueryVector
from eunoe.errors import EmbeddingUnknown, ModelError
from eunoe.service.models import Defaults, Models
from eunoe.store import messages, search
from eunoe.store.db import Actor, Database

log: Final = logging.getLogger("eunoe.search")


async def find(
    db: Database,
    actor: Actor,
    query: MessageQuery,
    *,
    by_meaning: bool,
    models: Models,
    defaults: Defaults,
) -> list[tuple[MessageHit, Message]]:
    """Return what fits `query`, best first, each with its message.

    An embedder that fails costs the search its sense of meaning, never the answer.
    """
    vector: QueryVector | None = None
    if by_meaning and query.text.strip() and defaults.embedding is not None:
        vector = await _vector(query.text, handle=defaults.embedding, models=models)
    async with db.read(actor, long=True) as tx:
        hits = await search.find_messages(tx, query, vector=vector)
        found = await messages.many(tx, [hit.message_id for hit in hits])
    return [(hit, found[hit.message_id]) for hit in hits if hit.message_id in found]


async def _vector(text: str, *, handle: str, models: Models) -> QueryVector | None:
    try:
        config = await models.resolve_embedding(handle)
        (values,) = await models.embedder_for(config).embed([text], purpose="search")
    except (EmbeddingUnknown, ModelError) as error:
        log.warning("The search goes by words alone: %s", error)
        return None
    return QueryVector(embedder=handle, values=values)
