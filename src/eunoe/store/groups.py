"""Queries on groups: the row, its members and shared blocks in order, and the turns it counts."""

from collections.abc import Sequence
from typing import Final

from eunoe.domain.groups import Group, ManagerType
from eunoe.store import codec, own
from eunoe.store.db import Row, Tx, among, unindexed
from eunoe.store.mapping import CHANGED, FLAG, mapped
from eunoe.store.paging import Page, listing
from eunoe.store.where import of_organization

_GROUPS: Final = mapped(
    Group,
    "agent_groups",
    noun="group",
    kept={**CHANGED, "hidden": FLAG},
    without=("agent_ids", "shared_block_ids"),
)
_MEMBER: Final = "agent_groups.id IN (SELECT group_id FROM group_members WHERE agent_id = {})"


async def insert(tx: Tx, group: Group) -> None:
    """Store a group; its members and blocks must be there."""
    await own.insert(tx, _GROUPS, group)
    await _insert_links(tx, group)


async def update(tx: Tx, group: Group) -> bool:
    """Replace the row, the members and the blocks; whether there is such a group."""
    if not await own.update(tx, _GROUPS, group):
        return False
    await tx.execute("DELETE FROM group_members WHERE group_id = $1", group.id)
    await tx.execute("DELETE FROM group_blocks WHERE group_id = $1", group.id)
    await _insert_links(tx, group)
    return True


async def get(tx: Tx, group_id: str, *, held: bool = False) -> Group | None:
    """Return a group; `held` keeps others from changing it until the commit."""
    row = await own.row(tx, _GROUPS, group_id, held=held)
    return None if row is None else (await _whole(tx, [row]))[0]


async def managed_by(tx: Tx, agent_ids: Sequence[str]) -> dict[str, Group]:
    """Return the group that each agent manages, the newest of several, by the agent's id."""
    rows = await tx.fetch(
        f"SELECT {_GROUPS.columns} FROM agent_groups WHERE manager_agent_id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2 ORDER BY created_at, id",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    return {group.manager_agent_id or "": group for group in await _whole(tx, rows)}


async def sleeptime_of(
    tx: Tx, agent_id: str, *, held: bool = False, kind: ManagerType = "sleeptime"
) -> Group | None:
    """Return the sleeptime group, of either `kind`, that the agent manages; null without one."""
    rows = await tx.fetch(
        f"SELECT {_GROUPS.columns} FROM agent_groups WHERE manager_agent_id = $1"
        f" AND manager_type = $3 AND {unindexed('organization_id')} = $2"
        f" ORDER BY created_at DESC LIMIT 1{own.lock(tx, 'agent_groups', held=held)}",
        agent_id,
        tx.actor.organization_id,
        kind,
    )
    return next(iter(await _whole(tx, rows)), None)


async def of_manager(tx: Tx, agent_id: str) -> list[Group]:
    """Return all groups that the agent manages."""
    where = of_organization(tx, "agent_groups")
    where.linked("agent_groups.manager_agent_id = {}", agent_id)
    return await _whole(tx, await listing(tx, _GROUPS, where, Page(limit=0)))


async def of_member(tx: Tx, agent_id: str) -> list[Group]:
    """Return the groups that the agent is a member of."""
    where = of_organization(tx, "agent_groups").linked(_MEMBER, agent_id)
    return await _whole(tx, await listing(tx, _GROUPS, where, Page(limit=0)))


async def note_turn(tx: Tx, group: Group) -> None:
    """Store the group's count of turns and how far its members have got."""
    await tx.execute(
        "UPDATE agent_groups SET turns_counter = $1, last_processed_message_id = $2 WHERE id = $3",
        group.turns_counter,
        group.last_processed_message_id,
        group.id,
    )


async def list_groups(
    tx: Tx,
    page: Page,
    *,
    manager_type: str | None = None,
    project_id: str | None = None,
    member_id: str | None = None,
    show_hidden: bool = False,
) -> list[Group]:
    """Return a page of groups; an unknown cursor is ignored (api 5.6)."""
    where = of_organization(tx, "agent_groups")
    where.equal(manager_type=manager_type, project_id=project_id).linked(_MEMBER, member_id)
    if not show_hidden:
        where.shown("agent_groups")
    return await _whole(tx, await listing(tx, _GROUPS, where, page))


async def count(tx: Tx) -> int:
    return await own.count(tx, of_organization(tx, "agent_groups"), "agent_groups")


async def delete(tx: Tx, group_id: str) -> bool:
    """Remove a group; its agents, blocks and messages stay. Whether there was one."""
    return await own.delete(tx, "agent_groups", group_id)


async def _insert_links(tx: Tx, group: Group) -> None:
    for table, column, linked in (
        ("group_members", "agent_id", group.agent_ids),
        ("group_blocks", "block_id", group.shared_block_ids),
    ):
        await tx.execute_many(
            f"INSERT INTO {table} (group_id, {column}, position) VALUES ($1, $2, $3)",
            [(group.id, one, place) for place, one in enumerate(linked)],
        )


async def _whole(tx: Tx, rows: Sequence[Row]) -> list[Group]:
    """Return the groups of `rows` with their members and blocks, in two statements more."""
    if not rows:
        return []
    members = await _linked(tx, rows, "group_members", "agent_id")
    blocks = await _linked(tx, rows, "group_blocks", "block_id")
    return [
        _GROUPS.read(
            tx, row, agent_ids=tuple(members[row[0]]), shared_block_ids=tuple(blocks[row[0]])
        )
        for row in rows
    ]


async def _linked(tx: Tx, rows: Sequence[Row], table: str, column: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {row[0]: [] for row in rows}
    for group_id, linked in await tx.fetch(
        f"SELECT group_id, {column} FROM {table} WHERE group_id {among(tx, '$1')}"
        " ORDER BY group_id, position",
        codec.encode(list(found)),
    ):
        found[group_id].append(linked)
    return found
