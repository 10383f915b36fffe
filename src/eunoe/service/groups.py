"""Groups of agents: made, changed, emptied, removed; and the blocks that they share (api 21)."""

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from eunoe import ids
from eunoe.domain.alike import alike
from eunoe.domain.groups import Group, GroupDraft, GroupPatch
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Message
from eunoe.domain.rounds import first_turn
from eunoe.errors import Invalid, ListBusy, Missing
from eunoe.runs import rounds
from eunoe.service.blocks import known as known_block
from eunoe.service.stamps import made_by, touched_by
from eunoe.store import agents, blocks, groups, lists, messages, runs, tools
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import all_there, there
from eunoe.tools.peers import BROADCAST


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTurn:
    """Who answers a message to a group first, and what it is told before and after that."""

    group_id: str
    agent_id: str
    turn: int | None
    heard: tuple[InputMessage, ...] = ()
    asked: tuple[InputMessage, ...] = ()


async def first(db: Database, actor: Actor, group_id: str) -> GroupTurn:
    """Return the turn that a message to the group begins with; `Invalid` where nobody is there."""
    async with db.read(actor) as tx:
        group = await known(tx, group_id)
        agent_id, turn = first_turn(group)
        if turn is None:
            return GroupTurn(group_id=group_id, agent_id=agent_id, turn=None)
        return GroupTurn(
            group_id=group_id,
            agent_id=agent_id,
            turn=turn,
            heard=_inputs(await rounds.heard(tx, group, by=agent_id)),
            asked=_inputs(await rounds.asked(tx, group, by=agent_id, turn=turn)),
        )


def _inputs(lines: Sequence[Message]) -> tuple[InputMessage, ...]:
    return tuple(
        InputMessage(
            role="user" if line.role == "user" else "system",
            content=line.content,
            otid=line.otid or str(uuid.uuid4()),
            name=line.name,
            sender_id=line.sender_id,
            group_id=line.group_id,
        )
        for line in lines
    )


async def create(db: Database, actor: Actor, draft: GroupDraft) -> Group:
    """Make a group; raise `Missing` for agents or blocks that are not there (21.11)."""
    group = alike(
        Group,
        draft,
        id=ids.new("group"),
        turns_counter=-1 if draft.manager_type == "sleeptime" else None,
        **made_by(actor),
        **draft.config,
    )
    async with db.write(actor) as tx:
        await _check(tx, group)
        await groups.insert(tx, group)
        await _share(tx, group)
    return group


async def known(tx: Tx, group_id: str, *, held: bool = False) -> Group:
    """Return the group; raise `Missing` for an unknown or foreign one."""
    return there(await groups.get(tx, group_id, held=held), "group", group_id)


async def update(db: Database, actor: Actor, group_id: str, patch: GroupPatch) -> Group:
    """Change a group; its kind stays: raise `Invalid` for another one (21.11)."""
    async with db.write(actor) as tx:
        before = await known(tx, group_id, held=True)
        if patch.manager_type not in {None, before.manager_type}:
            raise Invalid(f"A {before.manager_type} group stays one; make a new group instead.")
        after = replace(before, **patch.values, **touched_by(actor))
        await _check(tx, after)
        await groups.update(tx, after)
        await _unshare(tx, before, set(before.shared_block_ids) - set(after.shared_block_ids))
        await _share(tx, after)
    return after


async def delete(db: Database, actor: Actor, group_id: str) -> None:
    """Remove a group; its agents stay (21.13)."""
    async with db.write(actor) as tx:
        there(await groups.delete(tx, group_id), "group", group_id)


async def reset(db: Database, actor: Actor, group_id: str) -> None:
    """Delete what was said in a group, for good (21.13); `ListBusy` while an agent is at it."""
    async with db.write(actor) as tx:
        await known(tx, group_id)
        for list_id in await messages.lists_of_group(tx, group_id):
            holder = await runs.active_on(tx, list_id)
            if holder is not None:
                raise ListBusy(run_id=holder.id)
            await lists.changed(tx, list_id)
        await messages.delete_of_group(tx, group_id)


async def attach_block(db: Database, actor: Actor, group_id: str, block_id: str) -> None:
    """Give a block to the group, its members and its manager (21.12)."""
    async with db.write(actor) as tx:
        group = await known(tx, group_id, held=True)
        await known_block(tx, block_id)
        if block_id not in group.shared_block_ids:
            group = replace(group, shared_block_ids=(*group.shared_block_ids, block_id))
            await groups.update(tx, group)
        await _share(tx, group)


async def detach_block(db: Database, actor: Actor, group_id: str, block_id: str) -> None:
    """Take a block off the group, its members and its manager (21.12)."""
    async with db.write(actor) as tx:
        group = await known(tx, group_id, held=True)
        await known_block(tx, block_id)
        rest = tuple(one for one in group.shared_block_ids if one != block_id)
        if rest != group.shared_block_ids:
            await groups.update(tx, replace(group, shared_block_ids=rest))
            await _unshare(tx, group, [block_id])


async def _check(tx: Tx, group: Group) -> None:
    """Raise `Missing` for agents and blocks that are not there, `Invalid` for two of one name."""
    repeated = [one for one, times in Counter(group.agent_ids).items() if times > 1]
    if repeated and group.manager_type == "dynamic":
        raise Invalid(f"A dynamic group has each agent once: {', '.join(repeated)}.")
    found = await agents.many(tx, _everybody(group))
    missing = [one for one in _everybody(group) if one not in found] + repeated
    if missing:
        raise Missing(f"There are no such agents, or they are named twice: {', '.join(missing)}.")
    if group.manager_type == "dynamic":
        _check_names([found[one].name for one in group.agent_ids])
    held = await blocks.many(tx, group.shared_block_ids)
    all_there(held, group.shared_block_ids, "blocks")


def _check_names(names: Sequence[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise Invalid(
            f"The manager of a dynamic group calls agents by name, and these are not unique: "
            f"{', '.join(repeated)}."
        )


def _everybody(group: Group) -> tuple[str, ...]:
    """Return the members and the manager, each once."""
    manager = () if group.manager_agent_id is None else (group.manager_agent_id,)
    return tuple(dict.fromkeys((*group.agent_ids, *manager)))


async def _share(tx: Tx, group: Group) -> None:
    """Give everybody the shared blocks, and a supervisor the tool to ask its members (G8)."""
    shared = await blocks.many(tx, group.shared_block_ids)
    for agent_id in _everybody(group):
        for block_id in group.shared_block_ids:
            await blocks.attach(tx, agent_id, shared[block_id])
    if group.manager_type == "supervisor" and group.manager_agent_id is not None:
        found = await tools.by_names(tx, [BROADCAST])
        await tools.attach(tx, group.manager_agent_id, [one.id for one in found.values()])


async def _unshare(tx: Tx, group: Group, block_ids: Collection[str]) -> None:
    for agent_id in _everybody(group):
        for block_id in block_ids:
            await blocks.detach(tx, agent_id, block_id)
