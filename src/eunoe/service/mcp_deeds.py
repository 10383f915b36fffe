"""What this server offers to MCP clients: its agents to talk to, and their memory."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.blocks import BlockPatch
from eunoe.domain.drafts import PassageDraft
from eunoe.domain.messages import Json, Text
from eunoe.domain.peers import answers
from eunoe.domain.recall import PassageQuery
from eunoe.domain.runs import RunOptions
from eunoe.errors import Invalid, Missing, ToolArgumentsInvalid
from eunoe.ids import DEFAULT_USER
from eunoe.runs.runner import Runner
from eunoe.runs.submit import InputMessage, Submission
from eunoe.service import archives, blocks
from eunoe.service.models import Models
from eunoe.store import agents, users
from eunoe.store.agents import AgentFilter
from eunoe.store.db import Actor, Database
from eunoe.store.paging import Page
from eunoe.tools.mcp_offer import Asker, Deed
from eunoe.tools.parameters import number, parameters, text

_MOST_AGENTS: Final = 50
_MOST_FOUND: Final = 20
_OPTIONAL: Final = frozenset({"name", "limit"})
_AGENT: Final = text("The agent's id or its exact name.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    db: Database
    runner: Runner
    models: Callable[[Actor], Models]

    async def list_agents(self, actor: Actor, given: Json) -> Json:
        where = AgentFilter(query_text=_text(given, "name") or None)
        async with self.db.read(actor) as tx:
            found = await agents.list_agents(tx, where, Page(limit=_MOST_AGENTS))
            total = await agents.count(tx, where)
        told = [
            {"id": one.id, "name": one.name, "description": one.description, "tags": list(one.tags)}
            for one in found
        ]
        return {"agents": told, "total": total}

    async def talk(self, actor: Actor, given: Json) -> str:
        agent = await self._agent(actor, given)
        said = InputMessage(
            role="user", content=(Text(text=_needed(given, "message")),), otid=str(uuid.uuid4())
        )
        submission = Submission(agent_id=agent.id, messages=(said,), options=RunOptions())
        run = (await self.runner.submit(actor, submission)).run
        outcome = await self.runner.fold(actor, run.id)
        if outcome.failed is not None:
            raise Invalid(f"The agent failed: {outcome.failed.message}")
        reply = "\n".join(answers(outcome.views))
        if outcome.reason == "requires_approval":
            reply = f"{reply}\n[The agent waits for a person to approve a call.]".strip()
        return reply or f"[The agent said nothing; it stopped: {outcome.reason}.]"

    async def read_memory(self, actor: Actor, given: Json) -> Json:
        agent = await self._agent(actor, given)
        found = await blocks.of_agent(self.db, actor, agent.id, Page(limit=0, ascending=True))
        return {
            "blocks": [
                {
                    "label": one.label,
                    "description": one.description,
                    "value": one.value,
                    "limit": one.limit,
                    "read_only": one.read_only,
                }
                for one in found
            ]
        }

    async def edit_memory(self, actor: Actor, given: Json) -> str:
        agent, label = await self._agent(actor, given), _needed(given, "label")
        block = await blocks.labelled(self.db, actor, agent.id, label)
        if block.read_only:
            raise Invalid(f"The block {label} can only be read.")
        patch = BlockPatch(value=_text(given, "value"))
        await blocks.update_labelled(self.db, actor, agent.id, label, patch)
        return f"The block {label} was changed."

    async def search_memory(self, actor: Actor, given: Json) -> Json:
        agent = await self._agent(actor, given)
        limit = given.get("limit")
        query = PassageQuery(
            text=_needed(given, "query"),
            limit=min(limit, _MOST_FOUND) if isinstance(limit, int) and limit > 0 else 5,
        )
        found = await archives.recall(
            self.db, actor, agent.id, query, start=None, end=None, models=self.models(actor)
        )
        return {
            "memories": [
                {
                    "text": hit.passage.text,
                    "tags": list(hit.passage.tags),
                    "created_at": hit.passage.created_at.isoformat(),
                }
                for hit in found.hits
            ]
        }

    async def remember(self, actor: Actor, given: Json) -> str:
        agent = await self._agent(actor, given)
        draft = PassageDraft(text=_needed(given, "text"))
        await archives.remember(self.db, actor, agent.id, draft, models=self.models(actor))
        return "It is in the agent's archive."

    async def _agent(self, actor: Actor, given: Json) -> Agent:
        """Return the agent that is meant; raise `Missing`, and `Invalid` for one of several."""
        named = _needed(given, "agent")
        async with self.db.read(actor) as tx:
            if ids.is_id("agent", named):
                agent = await agents.get(tx, named)
                found = [] if agent is None else [agent]
            else:
                found = await agents.list_agents(tx, AgentFilter(name=named), Page(limit=2))
        if not found:
            raise Missing(f"There is no agent {named}; list the agents to see those there are.")
        if len(found) > 1:
            raise Invalid(f"Several agents are called {named}; say which by its id.")
        return found[0]


_Do: TypeAlias = Callable[[Actor, Json], Awaitable[Json | str]]


def deeds(db: Database, runner: Runner, models: Callable[[Actor], Models]) -> tuple[Deed, ...]:
    """Return what MCP clients can do here."""
    house = _House(db=db, runner=runner, models=models)

    def deed(name: str, told: str, do: _Do, /, *, reads: bool = False, **properties: Json) -> Deed:
        async def done(asker: Asker, given: Json) -> Json | str:
            known = await users.acting(db, asker.user_id or DEFAULT_USER)
            actor = replace(known, key_id=asker.key_id)
            return await do(actor, given)

        required = tuple(key for key in properties if key not in _OPTIONAL)
        return Deed(
            name=name,
            description=told,
            parameters=parameters(required, **properties),
            do=done,
            read_only=reads,
        )

    return (
        deed(
            "list_agents",
            "List the agents of this server with their ids, newest first.",
            house.list_agents,
            reads=True,
            name=text("Only agents with this in their name."),
        ),
        deed(
            "talk_to_agent",
            "Say something to an agent and wait for its answer. It remembers the conversation.",
            house.talk,
            agent=_AGENT,
            message=text("What the agent will read."),
        ),
        deed(
            "read_agent_memory",
            "Read the memory blocks that an agent always has before it.",
            house.read_memory,
            reads=True,
            agent=_AGENT,
        ),
        deed(
            "edit_agent_memory",
            "Replace the text of a memory block of an agent, all of it. Read it before.",
            house.edit_memory,
            agent=_AGENT,
            label=text("The label of the block, e.g. `human`."),
            value=text("The new text of the block, whole."),
        ),
        deed(
            "search_agent_memory",
            "Search an agent's long-term archive by meaning and by words.",
            house.search_memory,
            reads=True,
            agent=_AGENT,
            query=text("What to look for."),
            limit=number("How many at most; 5 if left out."),
        ),
        deed(
            "remember_for_agent",
            "Keep a text in an agent's long-term archive.",
            house.remember,
            agent=_AGENT,
            text=text("The text to keep, understood alone."),
        ),
    )


def _text(given: Json, name: str) -> str:
    found = given.get(name, "")
    if not isinstance(found, str):
        raise ToolArgumentsInvalid(f"The argument `{name}` is not a text.")
    return found


def _needed(given: Json, name: str) -> str:
    found = _text(given, name)
    if not found.strip():
        raise ToolArgumentsInvalid(f"The argument `{name}` is empty.")
    return found
