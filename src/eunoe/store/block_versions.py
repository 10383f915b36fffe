"""Queries on what memory blocks have been: one row a change, written once and kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eunoe.domain.blocks import BlockVersion
from eunoe.store import codec, own
from eunoe.store.db import Tx, among, unindexed
from eunoe.store.mapping import FLAG, LIST, MADE, OBJECT, Kept, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_VERSIONS: Final = mapped(
    BlockVersion,
    "block_versions",
    noun="version",
    source="(SELECT it.*, blocks.organization_id FROM block_versions AS it"
    " JOIN blocks ON blocks.id = it.block_id) AS block_versions",
    orders={"version": False},
    kept={
        **MADE,
        "limit": Kept(column="char_limit"),
        "read_only": FLAG,
        "metadata": OBJECT,
        "tags": LIST,
    },
)
_OF_BLOCK: Final = (
    "JOIN blocks ON blocks.id = block_versions.block_id WHERE block_versions.block_id"
)


async def insert(tx: Tx, made: Sequence[BlockVersion]) -> None:
    """Store what blocks have become, or have been."""
    rows = [{"id": f"{it.block_id}:{it.version}", **_VERSIONS.values(tx, it)} for it in made]
    await own.insert_rows(tx, "block_versions", rows)


async def of(tx: Tx, block_ids: Sequence[str]) -> list[BlockVersion]:
    """Return what the blocks have been, block by block, oldest first."""
    return await own.select(
        tx,
        _VERSIONS,
        f"{_OF_BLOCK} {among(tx, '$1')} AND {unindexed('blocks.organization_id')} = $2"
        " ORDER BY block_versions.block_id, block_versions.version",
        codec.encode(list(block_ids)),
        tx.actor.organization_id,
    )


async def page_of(tx: Tx, block_id: str, page: Page) -> list[BlockVersion]:
    """Return a page of what the block has been, ordered by version."""
    where = of_organization(tx, "block_versions").linked("block_versions.block_id = {}", block_id)
    return await own.page(tx, _VERSIONS, where, replace(page, order_by="version"))


async def get(tx: Tx, block_id: str, version: int) -> BlockVersion | None:
    return await own.first(
        tx,
        _VERSIONS,
        f"{_OF_BLOCK} = $1 AND block_versions.version = $2 AND blocks.organization_id = $3",
        block_id,
        version,
        tx.actor.organization_id,
    )
