"""The tools of an agent: attached, taken off, freed of approval (api 6.50)."""

from dataclasses import replace
from datetime import UTC, datetime

from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.base_tools import refuse_careful
from eunoe.domain.messages import Json
from eunoe.errors import ApprovalNotServed, Missing
from eunoe.service import states
from eunoe.store import agents, tools
from eunoe.store.db import Actor, Database, Tx


async def attach(db: Database, actor: Actor, agent_id: str, tool_id: str) -> AgentState:
    """Give the agent a tool; again is no change. Raise `ApprovalNotServed` for a careful one."""
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        tool = await tools.get(tx, tool_id)
        if tool is None:
            raise Missing(f"There is no tool {tool_id}.")
        refuse_careful([tool])
        await tools.attach(tx, agent_id, [tool_id])
        return await states.one(tx, agent_id)


async def detach(db: Database, actor: Actor, agent_id: str, tool_id: str) -> AgentState:
    """Take a tool off the agent; its rules stay. A tool it does not have is no change."""
    async with db.write(actor) as tx:
        await states.known(tx, agent_id)
        await tools.detach(tx, agent_id, [tool_id])
        return await states.one(tx, agent_id)


async def require_approval(
    db: Database, actor: Actor, agent_id: str, tool_name: str, *, required: bool
) -> AgentState:
    """Free a tool name of approval; the name need not be attached (TR21).

    Raises `ApprovalNotServed` where approval is to be required.
    """
    async with db.write(actor) as tx:
        agent = await states.known(tx, agent_id)
        if required:
            raise ApprovalNotServed(
                f"`{tool_name}` cannot be put under approval: this server cannot ask a person "
                "for approval yet."
            )
        rules = tuple(one for one in agent.tool_rules if not _is_approval(one, tool_name))
        await _keep_rules(tx, agent, rules)
        return await states.one(tx, agent_id)


def _is_approval(one: Json, tool_name: str) -> bool:
    return one["type"] == "requires_approval" and one["tool_name"] == tool_name


async def _keep_rules(tx: Tx, agent: Agent, rules: tuple[Json, ...]) -> None:
    if rules == agent.tool_rules:
        return
    changed = replace(
        agent,
        tool_rules=rules,
        last_updated_by_id=tx.actor.user_id,
        updated_at=datetime.now(UTC),
    )
    await agents.update(tx, changed)
