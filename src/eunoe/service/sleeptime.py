"""An agent whose memory another one looks after in the background (agent 8.3, api 6.15)."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from eunoe import ids
from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent, AgentType
from eunoe.domain.blocks import Block
from eunoe.domain.drafts import AgentDraft, BlockDraft
from eunoe.domain.groups import SLEEPTIME_FREQUENCY, Group
from eunoe.errors import AgentManagesGroup, Invalid
from eunoe.store import agents, blocks, groups
from eunoe.store.db import Tx

_WITHOUT: Final[frozenset[AgentType]] = frozenset(
    {"sleeptime_agent", "voice_convo_agent", "voice_sleeptime_agent"}
)
_PERSONA: Final = BlockDraft(
    label="memory_persona",
    value=(
        "I look after the memory of another agent. I keep what will matter later, in as few "
        "words as it needs, and put right what has become wrong."
    ),
    description="How this agent goes about its work on another agent's memory.",
)


def check(agent_type: AgentType) -> None:
    """Raise `Invalid` for a type of agent whose memory no other can look after."""
    if agent_type in _WITHOUT:
        raise Invalid(
            f"`enable_sleeptime` is not for agents of type {agent_type}; leave it out.",
            agent_type=agent_type,
        )


def partner_draft(main: AgentState) -> AgentDraft:
    """Return the agent that looks after the memory of `main`; it shares every block (G9)."""
    return AgentDraft(
        agent_type="sleeptime_agent",
        name=f"{main.agent.name}-sleeptime",
        memory_blocks=(_PERSONA,),
        block_ids=tuple(block.id for block in main.blocks),
        timezone=main.agent.timezone,
        project_id=main.agent.project_id,
    )


async def pair(tx: Tx, main: AgentState, partner: Agent, *, at: datetime) -> AgentState:
    """Store the group in which `partner` looks after the memory of `main`."""
    group = Group(
        id=ids.new("group"),
        manager_type="sleeptime",
        agent_ids=(partner.id,),
        description="An agent, and the one that looks after its memory in the background.",
        manager_agent_id=main.agent.id,
        sleeptime_agent_frequency=SLEEPTIME_FREQUENCY,
        turns_counter=-1,
        project_id=main.agent.project_id,
        created_by_id=tx.actor.user_id,
        last_updated_by_id=tx.actor.user_id,
        created_at=at,
        updated_at=at,
    )
    await groups.insert(tx, group)
    return replace(main, managed_group=group)


async def share(tx: Tx, agent_id: str, block: Block) -> None:
    """Give a block of the agent to those that look after its memory too (G12)."""
    group = await groups.sleeptime_of(tx, agent_id)
    for partner_id in () if group is None else group.agent_ids:
        await blocks.attach(tx, partner_id, block)


async def parted(tx: Tx, agent_id: str) -> tuple[str, ...]:
    """Undo the sleeptime groups of an agent that is to go; return who goes with it (G12).

    Raises `AgentManagesGroup` where it manages a group of another kind (api 6.45).
    """
    gone: list[str] = []
    for group in await groups.of_manager(tx, agent_id):
        if group.manager_type != "sleeptime":
            raise AgentManagesGroup(group_id=group.id)
        members = await agents.many(tx, group.agent_ids)
        gone += [one.id for one in members.values() if one.agent_type == "sleeptime_agent"]
        await groups.delete(tx, group.id)
    for group in await groups.of_member(tx, agent_id):
        if group.manager_type == "sleeptime" and group.manager_agent_id is not None:
            main = await agents.get(tx, group.manager_agent_id, held=True)
            if main is not None:
                await agents.update(tx, replace(main, enable_sleeptime=None))
            await groups.delete(tx, group.id)
    return tuple(gone)
