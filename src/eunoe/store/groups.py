"""Queries on groups: the row, its members and shared blocks in order, and the turns it counts."""

from typing import Final

from eunoe.domain.groups import Group, ManagerType
from eunoe.store import own
from eunoe.store.db import Tx, unindexed
from eunoe.store.mapping import CHANGED, FLAG, Kept, elsewhere, mapped
from eunoe.store.paging import Page
from eunoe.store.related import last, rows_of
from eunoe.store.where import of_organization


def _linked(table: str, column: str) -> Kept:
    return elsewhere(
        f"(SELECT COALESCE(string_agg({column}, ',' ORDER BY position), '') FROM {table}"
        " WHERE group_id = agent_groups.id)",
        lambda text: tuple(text.split(",")) if text else (),
    )


_GROUPS: Final = mapped(
    Group,
    "agent_groups",
    noun="group",
    kept={
        **CHANGED,
        "hidden": FLAG,
        "agent_ids": _linked("group_members", "agent_id"),
        "shared_block_ids": _linked("group_blocks", "block_id"),
    },
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
    if held:
        await _hold(tx, "id", group_id)
    return await own.get(tx, _GROUPS, group_id)


async def sleeptime_of(
    tx: Tx, agent_id: str, *, held: bool = False, kind: ManagerType = "sleeptime"
) -> Group | None:
    """Return the sleeptime group, of either `kind`, that the agent manages; null without one."""
    if held:
        await _hold(tx, "manager_agent_id", agent_id)
    row = await tx.fetch_one(
        f"SELECT {_GROUPS.columns} FROM agent_groups WHERE manager_agent_id = $1"
        f" AND manager_type = $3 AND {unindexed('organization_id')} = $2"
        " ORDER BY created_at DESC LIMIT 1",
        agent_id,
        tx.actor.organization_id,
        kind,
    )
    return None if row is None else _GROUPS.read(tx, row)


async def _hold(tx: Tx, column: str, value: str) -> None:
    # Before the read and not in it: there PostgreSQL would show the members of before the wait.
    if tx.dialect == "postgresql":
        await tx.execute(
            f"SELECT 1 FROM agent_groups WHERE {column} = $1 AND organization_id = $2"
            " ORDER BY id FOR UPDATE",
            value,
            tx.actor.organization_id,
        )


async def of_manager(tx: Tx, agent_id: str) -> list[Group]:
    """Return all groups that the agent manages."""
    where = of_organization(tx, "agent_groups")
    where.linked("agent_groups.manager_agent_id = {}", agent_id)
    return await own.page(tx, _GROUPS, where, Page(limit=0))


async def of_member(tx: Tx, agent_id: str) -> list[Group]:
    """Return the groups that the agent is a member of."""
    where = of_organization(tx, "agent_groups").linked(_MEMBER, agent_id)
    return await own.page(tx, _GROUPS, where, Page(limit=0))


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
    return await own.page(tx, _GROUPS, where, page)


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


MANAGED: Final = rows_of(
    _GROUPS.columns,
    f"agent_groups WHERE manager_agent_id = item.value AND {unindexed('organization_id')} = $2",
    order="created_at, id",
    read=_GROUPS.read,
).then(last)
"""The group that an agent manages, the newest of several."""
