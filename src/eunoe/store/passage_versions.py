"""Queries on what became of passages: who kept one, in which run, and who deleted it.

A record of a passage that is there holds no copy of its text; the record of its end does.
What was cut out of a file is the file's and has none.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from eunoe.domain.origins import Origin
from eunoe.domain.passages import Deed, Passage, PassageVersion
from eunoe.store import codec
from eunoe.store.db import Row, Tx, from_micros, now_micros
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_PLAIN: Final = (
    "passage_id",
    "version",
    "archive_id",
    "deed",
    "actor_id",
    "agent_id",
    "run_id",
    "step_id",
    "message_id",
)
_LAST: Final = (
    "(SELECT it.{0} FROM passage_versions AS it WHERE it.passage_id = passage_versions.passage_id"
    " AND it.text IS NOT NULL ORDER BY it.version LIMIT 1)"
)
_LISTING: Final = Listing(
    noun="version",
    table="passage_versions",
    columns=", ".join(
        [
            *(f"passage_versions.{name}" for name in (*_PLAIN, "created_at")),
            *(f"COALESCE(passages.{one}, {_LAST.format(one)})" for one in ("text", "tags_json")),
        ]
    ),
    joined="LEFT JOIN passages ON passages.id = passage_versions.passage_id",
    orders={"version": False},
)


async def record(
    tx: Tx, done: Sequence[Passage], deed: Deed, *, origin: Origin | None = None
) -> None:
    """Note a deed on passages; before their rows go, where it is their end."""
    origin, now, over = origin or Origin(), now_micros(), deed == "deleted"
    await tx.execute_many(
        "INSERT INTO passage_versions (id, passage_id, version, archive_id, deed, actor_id,"
        " agent_id, run_id, step_id, message_id, organization_id, created_at, text, tags_json)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        [
            (
                f"{one.id}:{version}",
                one.id,
                version,
                one.archive_id,
                deed,
                tx.actor.user_id,
                origin.agent_id,
                origin.run_id,
                origin.step_id,
                origin.message_id,
                tx.actor.organization_id,
                now,
                one.text if over else None,
                codec.encode(one.tags) if over else None,
            )
            for version in [2 if over else 1]
            for one in done
            if one.file_id is None
        ],
    )


async def page_of(tx: Tx, passage_id: str, page: Page) -> list[PassageVersion]:
    """Return a page of what became of a passage, ordered by version."""
    where = of_organization(tx, "passage_versions").linked(
        "passage_versions.passage_id = {}", passage_id
    )
    rows = await listing(tx, _LISTING, where, replace(page, order_by="version"))
    return [_read(row) for row in rows]


def _read(row: Row) -> PassageVersion:
    *plain, created_at, text, tags = row
    told: dict[str, Any] = dict(zip(_PLAIN, plain, strict=True))
    return PassageVersion(
        **told, text=text, tags=tuple(codec.loads(tags)), created_at=from_micros(created_at)
    )
