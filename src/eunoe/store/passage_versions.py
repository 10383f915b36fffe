"""Queries on what became of passages: who kept one, in which run, and who deleted it.

A record of a passage that is there holds no copy of its text; the record of its end does.
What was cut out of a file is the file's and has none.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eunoe.domain.origins import Origin
from eunoe.domain.passages import Deed, Passage, PassageVersion
from eunoe.store import codec, own
from eunoe.store.db import Tx, now_micros
from eunoe.store.mapping import LIST, MADE, elsewhere, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_LAST: Final = (
    "COALESCE(passages.{0}, (SELECT it.{0} FROM passage_versions AS it"
    " WHERE it.passage_id = passage_versions.passage_id"
    " AND it.text IS NOT NULL ORDER BY it.version LIMIT 1))"
)
_VERSIONS: Final = mapped(
    PassageVersion,
    "passage_versions",
    noun="version",
    joined="LEFT JOIN passages ON passages.id = passage_versions.passage_id",
    orders={"version": False},
    kept={
        **MADE,
        "text": elsewhere(_LAST.format("text")),
        "tags": elsewhere(_LAST.format("tags_json"), LIST.read),
    },
)


async def record(
    tx: Tx, done: Sequence[Passage], deed: Deed, *, origin: Origin | None = None
) -> None:
    """Note a deed on passages; before their rows go, where it is their end."""
    origin, now, over = origin or Origin(), now_micros(), deed == "deleted"
    rows = [
        {
            "id": f"{one.id}:{version}",
            "passage_id": one.id,
            "version": version,
            "archive_id": one.archive_id,
            "deed": deed,
            "actor_id": tx.actor.user_id,
            "agent_id": origin.agent_id,
            "run_id": origin.run_id,
            "step_id": origin.step_id,
            "message_id": origin.message_id,
            "organization_id": tx.actor.organization_id,
            "created_at": now,
            "text": one.text if over else None,
            "tags_json": codec.encode(one.tags) if over else None,
        }
        for version in [2 if over else 1]
        for one in done
        if one.file_id is None
    ]
    await own.insert_rows(tx, "passage_versions", rows)


async def page_of(tx: Tx, passage_id: str, page: Page) -> list[PassageVersion]:
    """Return a page of what became of a passage, ordered by version."""
    where = of_organization(tx, "passage_versions").linked(
        "passage_versions.passage_id = {}", passage_id
    )
    return await own.page(tx, _VERSIONS, where, replace(page, order_by="version"))
