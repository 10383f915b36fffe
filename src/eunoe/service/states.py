"""Agents with what is attached to them, read in a fixed number of statements."""

from collections.abc import Collection, Sequence
from typing import Any, Final

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
    related,
    secrets,
    tools,
)
from eunoe.store.db import Tx
from eunoe.store.own import there
from eunoe.store.related import Related

_PARTS: Final[dict[Relation, dict[str, Related[Any]]]] = {
    "blocks": {"blocks": blocks.OF_AGENT, "files": file_blocks.OF_AGENT},
    "sources": {"folders": folders.OF_AGENT},
    "identities": {"identities": identities.OF_AGENT},
    "secrets": {"secrets": secrets.OF_AGENT},
    "pending_approval": {"request": lists.REQUEST},
    "managed_group": {"managed_group": groups.MANAGED},
}
"""What goes with an agent beside its tags and tools, as the fields of `AgentState`."""


async def known(tx: Tx, agent_id: str, *, held: bool = False) -> Agent:
    """Return the agent, `held` until the commit; raise `Missing` for an unknown or foreign one."""
    return there(await agents.get(tx, agent_id, held=held), "agent", agent_id)


async def one(tx: Tx, agent_id: str, *, include: Collection[Relation] = ATTACHED) -> AgentState:
    """Return an agent with the relations in `include`; raise `Missing`."""
    return (await of(tx, [await known(tx, agent_id)], include=include))[0]


async def of(tx: Tx, found: Sequence[Agent], *, include: Collection[Relation]) -> list[AgentState]:
    """Return `found` with their windows and what `include` names, in at most two statements."""
    agent_ids = [agent.id for agent in found]
    told = include if tx.actor.sees_secrets else set(include) - {"secrets"}
    wanted = [part for relation, part in _PARTS.items() if relation in told]
    kinds = {name: kind for part in wanted for name, kind in part.items()}
    parts = await related.of_all(tx, agent_ids, message_ids=lists.WINDOW, **kinds)
    used = await tools.of_agents(tx, agent_ids) if "tools" in include else {}
    return [
        AgentState(
            agent=agent,
            tools=tuple(used.get(agent.id, ())),
            tags=agent.tags if "tags" in include else (),
            **parts[agent.id],
        )
        for agent in found
    ]
