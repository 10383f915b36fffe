"""The tools of an agent: attached, taken off, put under approval and freed of it (api 6.50)."""

from dataclasses import replace

from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import Agent
from eunoe.domain.base_tools import careful_rules, rule, with_rules
from eunoe.domain.messages import Json
from eunoe.service import states
from eunoe.service.stamps import touched_by
from eunoe.store import agents, tools
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there


async def attach(db: Database, actor: Actor, agent_id: str, tool_id: str) -> AgentState:
    """Give the agent a tool, and its rule if it asks for approval by itself; again is no change."""
    async with db.write(actor) as tx:
        agent = await states.known(tx, agent_id)
        tool = there(await tools.get(tx, tool_id), "tool", tool_id)
        await tools.attach(tx, agent_id, [tool_id])
        await _keep_rules(tx, agent, with_rules(agent.tool_rules, careful_rules([tool])))
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
    """Put a tool name under approval or free it; the name need not be attached (TR21)."""
    async with db.write(actor) as tx:
        agent = await states.known(tx, agent_id)
        if required:
            rules = with_rules(agent.tool_rules, [rule("requires_approval", tool_name)])
        else:
            rules = tuple(one for one in agent.tool_rules if not _is_approval(one, tool_name))
        await _keep_rules(tx, agent, rules)
        return await states.one(tx, agent_id)


def _is_approval(one: Json, tool_name: str) -> bool:
    return one["type"] == "requires_approval" and one["tool_name"] == tool_name


async def _keep_rules(tx: Tx, agent: Agent, rules: tuple[Json, ...]) -> None:
    if rules == agent.tool_rules:
        return
    changed = replace(agent, tool_rules=rules, **touched_by(tx.actor))
    await agents.update(tx, changed)
