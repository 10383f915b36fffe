"""Queries on memory blocks: the block, its history, and which agents have it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from eunoe.domain.blocks import Block, BlockVersion, remembered
from eunoe.domain.origins import Origin
from eunoe.errors import BlockChanged, BlockExists
from eunoe.store import block_versions, own
from eunoe.store.db import Tx, UniqueViolated, from_micros, now_micros, unindexed
from eunoe.store.mapping import FLAG, LIST, MADE, NAME, OBJECT, Kept, mapped
from eunoe.store.paging import Page
from eunoe.store.related import rows_of
from eunoe.store.where import Where, of_organization

BLOCKS: Final = mapped(
    Block,
    "blocks",
    noun="block",
    kept={
        "label": NAME,
        **MADE,
        "limit": Kept(column="char_limit"),
        "read_only": FLAG,
        "approve_writes": FLAG,
        "is_template": FLAG,
        "preserve_on_migration": FLAG,
        "hidden": FLAG,
        "metadata": OBJECT,
        "tags": LIST,
    },
)
_HELD: Final = (
    "JOIN agents_blocks ON agents_blocks.block_id = blocks.id"
    f" WHERE agents_blocks.agent_id = {{}} AND {unindexed('blocks.organization_id')} = $2"
)
_ORDER: Final = "agents_blocks.position, blocks.id"
OF_AGENT: Final = rows_of(
    BLOCKS.columns, f"blocks {_HELD.format('item.value')}", order=_ORDER, read=BLOCKS.read
)
"""An agent's blocks in the order they were attached."""
_CLASH: Final = "The agent already has a block with the label `{}`; use another label."


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFilter:
    """What is asked of a list or count of blocks (api 12.2); null and empty ask for nothing.

    `templates_only` false shows only what is no template. `connected_eq` takes several counts
    of agents, and 0 finds the blocks that none has.
    """

    label: str | None = None
    label_search: str | None = None
    name: str | None = None
    value_search: str | None = None
    description_search: str | None = None
    tags: tuple[str, ...] = ()
    match_all_tags: bool = False
    project_id: str | None = None
    templates_only: bool | None = False
    connected_gt: int | None = None
    connected_lt: int | None = None
    connected_eq: tuple[int, ...] = ()
    agent_id: str | None = None
    identity_id: str | None = None
    identifier_keys: tuple[str, ...] = ()
    show_hidden: bool = False


async def insert(tx: Tx, block: Block, *, origin: Origin | None = None) -> None:
    """Store a new block, and it as its own first version."""
    now = now_micros()
    await own.insert(tx, BLOCKS, _dated(block, now), updated_at=now)
    made = remembered(block, actor_id=tx.actor.user_id, at=from_micros(now), origin=origin)
    await block_versions.insert(tx, [made])


async def insert_many(tx: Tx, found: Sequence[Block], history: Sequence[BlockVersion]) -> None:
    """Store new blocks with what they have been, in two statements."""
    now = now_micros()
    await own.insert_many(tx, BLOCKS, [_dated(one, now) for one in found], updated_at=now)
    await block_versions.insert(tx, history)


async def get(tx: Tx, block_id: str) -> Block | None:
    return await own.get(tx, BLOCKS, block_id)


async def many(tx: Tx, block_ids: Sequence[str]) -> dict[str, Block]:
    """Return the blocks with these ids, by id; unknown ids are left out."""
    return {block.id: block for block in await own.many(tx, BLOCKS, block_ids)}


async def update(
    tx: Tx, block: Block, *, expected_version: int, origin: Origin | None = None
) -> Block:
    """Store `block` where it still is at `expected_version`; return it with its new version.

    Raises `BlockChanged` where somebody was faster (or deleted it), and `BlockExists` where an
    agent that has it already has another block with its new label.
    """
    now = now_micros()
    actor = tx.actor.user_id
    changed = replace(block, version=expected_version + 1, last_updated_by_id=actor)
    if not await own.update(
        tx,
        BLOCKS,
        changed,
        but=("created_at",),
        where={"version": expected_version},
        updated_at=now,
    ):
        raise BlockChanged(block_id=block.id)
    try:
        await tx.execute(
            "UPDATE agents_blocks SET label = $1 WHERE block_id = $2 AND label <> $1",
            block.label,
            block.id,
        )
    except UniqueViolated as error:
        raise BlockExists(_CLASH.format(block.label), label=block.label) from error
    told = remembered(changed, actor_id=actor, at=from_micros(now), origin=origin)
    await block_versions.insert(tx, [told])
    return changed


async def delete(tx: Tx, block_id: str) -> bool:
    """Remove a block, its history and its attachments; whether there was one."""
    return await own.delete(tx, "blocks", block_id)


async def list_blocks(tx: Tx, where: BlockFilter, page: Page) -> list[Block]:
    """Return a page of blocks in at most two statements; an unknown cursor is ignored."""
    return await own.page(tx, BLOCKS, _where(tx, where), page)


async def count(tx: Tx, where: BlockFilter) -> int:
    return await own.count(tx, _where(tx, where), "blocks")


async def attach(tx: Tx, agent_id: str, block: Block) -> bool:
    """Give the agent the block, as its last; false where it has it already, or either is unknown.

    Raises `BlockExists` where the agent has another block with that label.
    """
    try:
        added = await tx.execute(
            "INSERT INTO agents_blocks (agent_id, block_id, label, position)"
            " SELECT agents.id, blocks.id, blocks.label, (SELECT COALESCE(MAX(position), 0) + 1"
            " FROM agents_blocks WHERE agent_id = $1) FROM agents, blocks"
            " WHERE agents.id = $1 AND blocks.id = $2"
            " AND agents.organization_id = $3 AND blocks.organization_id = $3"
            f"{_held(tx)} ON CONFLICT (agent_id, block_id) DO NOTHING",
            agent_id,
            block.id,
            tx.actor.organization_id,
        )
    except UniqueViolated as error:
        raise BlockExists(_CLASH.format(block.label), label=block.label) from error
    return bool(added)


async def detach(tx: Tx, agent_id: str, block_id: str) -> bool:
    """Take the block from the agent; it stays stored. Whether the agent had it."""
    return await own.detach(tx, "block", agent_id, block_id)


async def of_agent(tx: Tx, agent_id: str) -> list[Block]:
    """Return the agent's blocks in the order they were attached."""
    tail = f"{_HELD.format('$1')} ORDER BY {_ORDER}"
    return await own.select(tx, BLOCKS, tail, agent_id, tx.actor.organization_id)


async def hold(tx: Tx, agent_id: str, *, conversation_id: str | None = None) -> None:
    """Keep others from changing the agent's blocks, and those of a conversation, until commit."""
    if tx.dialect == "postgresql":
        await tx.execute(
            "SELECT 1 FROM blocks WHERE id IN"
            " (SELECT block_id FROM agents_blocks WHERE agent_id = $1 UNION ALL"
            " SELECT block_id FROM conversations_blocks WHERE conversation_id = $2)"
            " ORDER BY id FOR UPDATE",
            agent_id,
            conversation_id,
        )


async def by_label(tx: Tx, agent_id: str, label: str) -> Block | None:
    """Return the agent's block with this label, null where it has none."""
    return await own.first(
        tx,
        BLOCKS,
        f"{_HELD.format('$1')} AND agents_blocks.label = $3",
        agent_id,
        tx.actor.organization_id,
        label,
    )


def _held(tx: Tx) -> str:
    """Return SQL that keeps the rows read from changing before the commit, as SQLite always does.

    Without it a block renamed at the same moment would leave its old label behind.
    """
    return "" if tx.dialect == "sqlite" else " FOR SHARE OF blocks"


def _where(tx: Tx, asked: BlockFilter) -> Where:
    where = of_organization(tx, "blocks")
    where.equal(label=asked.label, template_name=asked.name, project_id=asked.project_id)
    where.contains(
        label=asked.label_search, value=asked.value_search, description=asked.description_search
    )
    where.tagged("blocks.tags_json", asked.tags, every=asked.match_all_tags)
    agents = "(SELECT COUNT(*) FROM agents_blocks WHERE agents_blocks.block_id = blocks.id)"
    for sign, bound in ((">", asked.connected_gt), ("<", asked.connected_lt)):
        if bound is not None:
            where.add(f"{agents} {sign} {{}}", bound)
    if asked.connected_eq:
        places = ", ".join(where.bound(number) for number in asked.connected_eq)
        where.clauses.append(f"{agents} IN ({places})")
    where.linked(
        "blocks.id IN (SELECT block_id FROM agents_blocks WHERE agent_id = {})", asked.agent_id
    )
    where.linked(
        "blocks.id IN (SELECT block_id FROM blocks_identities WHERE identity_id = {})",
        asked.identity_id,
    ).owned("block", asked.identifier_keys)
    if asked.templates_only is not None:
        where.add("blocks.is_template = {}", int(asked.templates_only))
    if not asked.show_hidden:
        where.shown("blocks")
    return where


def _dated(block: Block, now: int) -> Block:
    return block if block.created_at else replace(block, created_at=from_micros(now))
