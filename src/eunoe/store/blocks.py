"""Queries on memory blocks: the block, its history, and which agents have it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eunoe.domain.blocks import Block, BlockVersion, remembered
from eunoe.domain.origins import Origin
from eunoe.errors import BlockChanged, BlockExists
from eunoe.store import block_versions, codec
from eunoe.store.db import (
    Row,
    Tx,
    UniqueViolated,
    Value,
    among,
    from_micros,
    now_micros,
    optional_time,
    to_micros,
    unindexed,
)
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where, of_organization

_PLAIN: Final = (
    "id",
    "label",
    "value",
    "description",
    "template_name",
    "template_id",
    "base_template_id",
    "deployment_id",
    "entity_id",
    "project_id",
    "version",
    "created_by_id",
    "last_updated_by_id",
)
_FIELDS: Final = (
    *_PLAIN,
    "char_limit",
    "read_only",
    "approve_writes",
    "metadata_json",
    "tags_json",
    "hidden",
    "is_template",
    "preserve_on_migration",
    "created_at",
)
COLUMNS: Final = ", ".join(f"blocks.{name}" for name in _FIELDS)
_INSERT: Final = (
    f"INSERT INTO blocks ({', '.join(_FIELDS)}, organization_id, updated_at)"
    f" VALUES ({', '.join(f'${place}' for place in range(1, len(_FIELDS) + 3))})"
)
_UPDATE: Final = (
    f"UPDATE blocks SET {', '.join(f'{name} = ${at}' for at, name in enumerate(_FIELDS[1:], 2))},"
    f" updated_at = ${len(_FIELDS) + 2}"
    f" WHERE id = $1 AND organization_id = ${len(_FIELDS) + 1} AND version = ${len(_FIELDS) + 3}"
)
_LISTING: Final = Listing(noun="block", table="blocks", columns=COLUMNS)
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
    await tx.execute(_INSERT, *_values(block, now=now), tx.actor.organization_id, now)
    made = remembered(block, actor_id=tx.actor.user_id, at=from_micros(now), origin=origin)
    await block_versions.insert(tx, [made])


async def insert_many(tx: Tx, found: Sequence[Block], history: Sequence[BlockVersion]) -> None:
    """Store new blocks with what they have been, in two statements."""
    now, scope = now_micros(), tx.actor.organization_id
    await tx.execute_many(_INSERT, [(*_values(one, now=now), scope, now) for one in found])
    await block_versions.insert(tx, history)


async def get(tx: Tx, block_id: str) -> Block | None:
    row = await tx.fetch_one(
        f"SELECT {COLUMNS} FROM blocks WHERE id = $1 AND organization_id = $2",
        block_id,
        tx.actor.organization_id,
    )
    return None if row is None else from_row(row)


async def many(tx: Tx, block_ids: Sequence[str]) -> dict[str, Block]:
    """Return the blocks with these ids, by id; unknown ids are left out."""
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM blocks WHERE id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2",
        codec.encode(list(block_ids)),
        tx.actor.organization_id,
    )
    return {row[0]: from_row(row) for row in rows}


async def update(
    tx: Tx,
    block: Block,
    *,
    expected_version: int,
    origin: Origin | None = None,
) -> Block:
    """Store `block` where it still is at `expected_version`; return it with its new version.

    Raises `BlockChanged` where somebody was faster (or deleted it), and `BlockExists` where an
    agent that has it already has another block with its new label.
    """
    now = now_micros()
    actor = tx.actor.user_id
    changed = replace(block, version=expected_version + 1, last_updated_by_id=actor)
    written = await tx.execute(
        _UPDATE, *_values(changed, now=now), tx.actor.organization_id, now, expected_version
    )
    if not written:
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
    return bool(
        await tx.execute(
            "DELETE FROM blocks WHERE id = $1 AND organization_id = $2",
            block_id,
            tx.actor.organization_id,
        )
    )


async def list_blocks(tx: Tx, where: BlockFilter, page: Page) -> list[Block]:
    """Return a page of blocks in at most two statements; an unknown cursor is ignored."""
    return [from_row(row) for row in await listing(tx, _LISTING, _where(tx, where), page)]


async def count(tx: Tx, where: BlockFilter) -> int:
    asked = _where(tx, where)
    found: int = await tx.fetch_value(f"SELECT COUNT(*) FROM blocks WHERE {asked.sql}", *asked.args)
    return found


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
    return bool(
        await tx.execute(
            "DELETE FROM agents_blocks WHERE agent_id = $1 AND block_id = $2"
            " AND (SELECT organization_id FROM agents WHERE id = $1) = $3",
            agent_id,
            block_id,
            tx.actor.organization_id,
        )
    )


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> dict[str, list[Block]]:
    """Return each agent's blocks in the order they were attached, in one statement."""
    rows = await tx.fetch(
        f"SELECT {COLUMNS}, agents_blocks.agent_id FROM agents_blocks"
        " JOIN blocks ON blocks.id = agents_blocks.block_id"
        f" WHERE agents_blocks.agent_id {among(tx, '$1')}"
        f" AND {unindexed('blocks.organization_id')} = $2"
        " ORDER BY agents_blocks.agent_id, agents_blocks.position, blocks.id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    found: dict[str, list[Block]] = {agent_id: [] for agent_id in agent_ids}
    for row in rows:
        found[row[-1]].append(from_row(row))
    return found


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
    row = await tx.fetch_one(
        f"SELECT {COLUMNS} FROM agents_blocks JOIN blocks ON blocks.id = agents_blocks.block_id"
        " WHERE agents_blocks.agent_id = $1 AND agents_blocks.label = $2"
        f" AND {unindexed('blocks.organization_id')} = $3",
        agent_id,
        label,
        tx.actor.organization_id,
    )
    return None if row is None else from_row(row)


async def agents_of(tx: Tx, block_id: str) -> list[str]:
    """Return the ids of the agents that have the block."""
    rows = await tx.fetch(
        "SELECT agents.id FROM agents_blocks JOIN agents ON agents.id = agents_blocks.agent_id"
        f" WHERE agents_blocks.block_id = $1 AND {unindexed('agents.organization_id')} = $2"
        " ORDER BY agents.id",
        block_id,
        tx.actor.organization_id,
    )
    return [row[0] for row in rows]


def _held(tx: Tx) -> str:
    """Return SQL that keeps the rows read from changing before the commit, as SQLite always does.

    Without it a block renamed at the same moment would leave its old label behind.
    """
    return "" if tx.dialect == "sqlite" else " FOR SHARE OF blocks"


def _where(tx: Tx, asked: BlockFilter) -> Where:
    where = of_organization(tx, "blocks")
    where.equal(label=asked.label, template_name=asked.name, project_id=asked.project_id)
    where.contains(
        label=asked.label_search,
        value=asked.value_search,
        description=asked.description_search,
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
        where.add("(blocks.hidden IS NULL OR blocks.hidden = 0)")
    return where


def from_row(row: Row) -> Block:
    """Read a row that begins with `COLUMNS`."""
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=False))
    return Block(
        **{name: stored[name] for name in _PLAIN},
        limit=stored["char_limit"],
        read_only=bool(stored["read_only"]),
        approve_writes=bool(stored["approve_writes"]),
        metadata=codec.loads_object(stored["metadata_json"]) or {},
        tags=tuple(codec.loads(stored["tags_json"])),
        hidden=codec.truth(stored["hidden"]),
        is_template=bool(stored["is_template"]),
        preserve_on_migration=codec.truth(stored["preserve_on_migration"]),
        created_at=optional_time(stored["created_at"]),
    )


def _values(block: Block, *, now: int) -> tuple[Value, ...]:
    """Return the values of `_FIELDS`, in their order."""
    made: dict[str, Value] = {
        "char_limit": block.limit,
        "read_only": int(block.read_only),
        "approve_writes": int(block.approve_writes),
        "metadata_json": codec.encode(block.metadata),
        "tags_json": codec.encode(block.tags),
        "hidden": codec.flag(block.hidden),
        "is_template": int(block.is_template),
        "preserve_on_migration": codec.flag(block.preserve_on_migration),
        "created_at": now if block.created_at is None else to_micros(block.created_at),
    }
    return tuple(made[name] if name in made else getattr(block, name) for name in _FIELDS)
