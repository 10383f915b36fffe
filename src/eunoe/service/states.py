"""Agents with what is attached to them, read in a fixed number of statements."""

from collections.abc import Collection, Sequence

from eunoe.domain.agent_states import ATTACHED, AgentState, Relation
from eunoe.domain.agents import Agent
from eunoe.store import (
    agents,
    blocks,
    file_blocks,
    folders,
    groups,
    identities,
    lists,
    secrets,
    tools,
)
from eunoe.store.db import Tx
from eunoe.store.own import there


async def known(tx: Tx, agent_id: str, *, held: bool = False) -> Agent:
    """Return the agent, `held` until the commit; raise `Missing` for an unknown or foreign one."""
    return there(await agents.get(tx, agent_id, held=held), "agent", agent_id)


async def one(tx: Tx, agent_id: str, *, include: Collection[Relation] = ATTACHED) -> AgentState:
    """Return an agent with the relations in `include`; raise `Missing`."""
    return (await of(tx, [await known(tx, agent_id)], include=include))[0]


async def of(tx: Tx, found: Sequence[Agent], *, include: Collection[Relation]) -> list[AgentState]:
    """Return `found` with their windows and what `include` names: a statement for each."""
    agent_ids = [agent.id for agent in found]
    windows = await lists.ids(tx, agent_ids)
    held = await blocks.of_agents(tx, agent_ids) if "blocks" in include else {}
    used = await tools.of_agents(tx, agent_ids) if "tools" in include else {}
    owners = await identities.of_agents(tx, agent_ids) if "identities" in include else {}
    told = "secrets" in include and tx.actor.sees_secrets
    sealed = await secrets.of_agents(tx, agent_ids) if told else {}
    filed = [agent.id for agent in found if agent.has_folders]
    files = await file_blocks.of_agents(tx, filed) if "blocks" in include else {}
    given = await folders.of_agents(tx, filed) if filed and "sources" in include else {}
    asking = [one for one, (_, last_role) in windows.items() if last_role == "approval"]
    asked = asking if "pending_approval" in include else []
    waiting = await lists.requests(tx, asked) if asked else {}
    managed = await groups.managed_by(tx, agent_ids) if "managed_group" in include else {}
    return [
        AgentState(
            agent=agent,
            request=waiting.get(agent.id),
            message_ids=windows[agent.id][0],
            blocks=tuple(held.get(agent.id, ())),
            files=tuple(files.get(agent.id, ())),
            tools=tuple(used.get(agent.id, ())),
            identities=tuple(owners.get(agent.id, ())),
            secrets=tuple(sealed.get(agent.id, ())),
            folders=tuple(given.get(agent.id, ())),
            tags=agent.tags if "tags" in include else (),
            managed_group=managed.get(agent.id),
        )
        for agent in found
    ]
