"""Queries on what memory blocks have been: one row a change, written once and kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from eunoe.domain.blocks import BlockVersion
from eunoe.store import codec
from eunoe.store.db import Row, Tx, Value, among, from_micros, to_micros, unindexed
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_FIELDS: Final = (
    "block_id",
    "version",
    "label",
    "value",
    "char_limit",
    "description",
    "read_only",
    "metadata_json",
    "tags_json",
    "actor_id",
    "agent_id",
    "run_id",
    "step_id",
    "message_id",
    "created_at",
)
_COLUMNS: Final = ", ".join(f"block_versions.{name}" for name in _FIELDS)
_INSERT: Final = (
    f"INSERT INTO block_versions ({', '.join(_FIELDS)}, id)"
    f" VALUES ({', '.join(f'${place}' for place in range(1, len(_FIELDS) + 2))})"
)
_LISTING: Final = Listing(
    noun="version",
    table="block_versions",
    columns=_COLUMNS,
    source="(SELECT it.*, blocks.organization_id FROM block_versions AS it"
    " JOIN blocks ON blocks.id = it.block_id) AS block_versions",
    orders={"version": False},
)


async def insert(tx: Tx, made: Sequence[BlockVersion]) -> None:
    """Store what blocks have become, or have been."""
    await tx.execute_many(_INSERT, [_values(one) for one in made])


async def of(tx: Tx, block_ids: Sequence[str]) -> list[BlockVersion]:
    """Return what the blocks have been, block by block, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM block_versions JOIN blocks ON blocks.id = block_versions.block_id"
        f" WHERE block_versions.block_id {among(tx, '$1')}"
        f" AND {unindexed('blocks.organization_id')} = $2"
        " ORDER BY block_versions.block_id, block_versions.version",
        codec.encode(list(block_ids)),
        tx.actor.organization_id,
    )
    return [_read(row) for row in rows]


async def page_of(tx: Tx, block_id: str, page: Page) -> list[BlockVersion]:
    """Return a page of what the block has been, ordered by version."""
    where = of_organization(tx, "block_versions").linked("block_versions.block_id = {}", block_id)
    rows = await listing(tx, _LISTING, where, replace(page, order_by="version"))
    return [_read(row) for row in rows]


async def get(tx: Tx, block_id: str, version: int) -> BlockVersion | None:
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM block_versions JOIN blocks ON blocks.id = block_versions.block_id"
        " WHERE block_versions.block_id = $1 AND block_versions.version = $2"
        " AND blocks.organization_id = $3",
        block_id,
        version,
        tx.actor.organization_id,
    )
    return None if row is None else _read(row)


def _read(row: Row) -> BlockVersion:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    metadata, tags = stored.pop("metadata_json"), stored.pop("tags_json")
    return BlockVersion(
        limit=stored.pop("char_limit"),
        read_only=bool(stored.pop("read_only")),
        metadata=codec.loads_object(metadata),
        tags=None if tags is None else tuple(codec.loads(tags)),
        created_at=from_micros(stored.pop("created_at")),
        **stored,
    )


def _values(one: BlockVersion) -> tuple[Value, ...]:
    made: dict[str, Value] = {
        "char_limit": one.limit,
        "read_only": int(one.read_only),
        "metadata_json": None if one.metadata is None else codec.encode(one.metadata),
        "tags_json": None if one.tags is None else codec.encode(one.tags),
        "created_at": to_micros(one.created_at),
    }
    told = (made[name] if name in made else getattr(one, name) for name in _FIELDS)
    return (*told, f"{one.block_id}:{one.version}")
