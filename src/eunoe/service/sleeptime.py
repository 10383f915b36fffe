"""An agent whose memory another one looks after in the background (agent 8.3, api 6.15)."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from eunoe import ids
from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import KEEPERS, Agent, AgentType
from eunoe.domain.blocks import Block, BlockDraft
from eunoe.domain.drafts import AgentDraft, ModelWish
from eunoe.domain.groups import SLEEPTIME_FREQUENCY, VOICE_BUFFER, Group
from eunoe.domain.models import ModelConfig
from eunoe.errors import AgentManagesGroup, EunoeError, Invalid
from eunoe.service.models import Defaults, Models, model_of
from eunoe.service.stamps import made_by
from eunoe.store import agents, blocks, groups
from eunoe.store.db import Tx

_KINDS: Final = ("sleeptime", "voice_sleeptime")
_VOICE_MODEL: Final = "gpt-4.1"
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
    if agent_type in KEEPERS:
        raise Invalid(
            f"`enable_sleeptime` is not for agents of type {agent_type}; leave it out.",
            agent_type=agent_type,
        )


async def partner_model(
    config: ModelConfig, *, agent_type: AgentType, models: Models
) -> ModelConfig:
    """Return the model of who looks after the memory of an agent with `config` (G9, G10).

    Speaking wants a quick model and remembering a good one, where its provider has that.
    """
    if agent_type == "voice_convo_agent" and config.provider_type == "openai":
        wish = ModelWish(handle=f"{config.provider_name}/{_VOICE_MODEL}")
        with suppress(EunoeError):
            return await model_of(
                wish, agent_type="voice_sleeptime_agent", models=models, defaults=Defaults()
            )
    return config


def _speaks(agent: Agent) -> bool:
    return agent.agent_type == "voice_convo_agent"


def partner_draft(main: AgentState) -> AgentDraft:
    """Return the agent that looks after the memory of `main`; it shares every block (G9)."""
    return AgentDraft(
        agent_type="voice_sleeptime_agent" if _speaks(main.agent) else "sleeptime_agent",
        name=f"{main.agent.name}-sleeptime",
        memory_blocks=(_PERSONA,),
        block_ids=tuple(block.id for block in main.blocks),
        timezone=main.agent.timezone,
        project_id=main.agent.project_id,
    )


async def pair(tx: Tx, main: AgentState, partner: Agent, *, at: datetime) -> AgentState:
    """Store the group in which `partner` looks after the memory of `main`."""
    speaks = _speaks(main.agent)
    group = Group(
        id=ids.new("group"),
        manager_type="voice_sleeptime" if speaks else "sleeptime",
        agent_ids=(partner.id,),
        description="An agent, and the one that looks after its memory in the background.",
        manager_agent_id=main.agent.id,
        sleeptime_agent_frequency=None if speaks else SLEEPTIME_FREQUENCY,
        turns_counter=None if speaks else -1,
        max_message_buffer_length=VOICE_BUFFER[0] if speaks else None,
        min_message_buffer_length=VOICE_BUFFER[1] if speaks else None,
        project_id=main.agent.project_id,
        **made_by(tx.actor, at=at),
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
        if group.manager_type not in _KINDS:
            raise AgentManagesGroup(group_id=group.id)
        members = await agents.many(tx, group.agent_ids)
        gone += [one.id for one in members.values() if one.agent_type in KEEPERS]
        await groups.delete(tx, group.id)
    for group in await groups.of_member(tx, agent_id):
        if group.manager_type in _KINDS and group.manager_agent_id is not None:
            main = await agents.get(tx, group.manager_agent_id, held=True)
            if main is not None:
                await agents.update(tx, replace(main, enable_sleeptime=None))
            await groups.delete(tx, group.id)
    return tuple(gone)
