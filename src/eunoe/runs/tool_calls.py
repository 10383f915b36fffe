"""A call of an agent's tool that no run makes: asked for over the API (api 6.50, X34)."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from eunoe import ids
from eunoe.domain.edits import StateWrite
from eunoe.domain.messages import Json, ToolCall
from eunoe.domain.runs import Run
from eunoe.domain.tools import ToolResult
from eunoe.engine.acting import called
from eunoe.engine.cancellation import Cancellation
from eunoe.engine.ports import Settled
from eunoe.errors import ToolMissing
from eunoe.runs import memory
from eunoe.runs.ports import MakePeers, Toolboxes
from eunoe.store import agents, tools
from eunoe.store.db import Actor, Database
from eunoe.store.own import there


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalls:
    """Calls tools as a run would, and writes no message, run or step."""

    db: Database
    toolboxes: Toolboxes
    peers: MakePeers

    async def call(self, actor: Actor, agent_id: str, name: str, *, arguments: Json) -> ToolResult:
        """Return what the call comes to, memory edits applied.

        Raises `Missing` for an unknown agent, `ToolMissing` for a tool it does not have.
        """
        async with self.db.read(actor) as tx:
            agent = there(await agents.get(tx, agent_id), "agent", agent_id)
            attached = tuple((await tools.of_agents(tx, [agent_id]))[agent_id])
        if name not in {tool.name for tool in attached}:
            raise ToolMissing(f"The agent has no tool `{name}`; attach it first.", name=name)
        toolbox = self.toolboxes(
            actor=actor,
            agent=agent,
            tools=attached,
            peers=self.peers(
                actor=actor, agent=agent, run=_unstored(agent_id), cancellation=Cancellation()
            ),
            conversation_id=None,
        )
        call = ToolCall(
            id=f"call_{uuid.uuid4().hex}", name=name, arguments=orjson.dumps(arguments).decode()
        )
        outcome = await called(call, toolbox=toolbox)
        if isinstance(outcome, ToolResult):
            return outcome
        ran = outcome.result if isinstance(outcome, StateWrite) else None
        source = memory.Source(agent=agent, run=None, step_id=None, now=datetime.now(UTC))
        async with self.db.write(actor) as tx:
            (made,), _ = await memory.settle(
                tx, [Settled(call=call, outcome=outcome, approved=True)], source=source
            )
        return ToolResult(
            ok=made.ok,
            output=made.output,
            stdout=made.stdout,
            stderr=made.stderr,
            parts=made.parts,
            fingerprint=None if ran is None else ran.fingerprint,
        )


def _unstored(agent_id: str) -> Run:
    """Return a run that nothing keeps, for those who ask how a run's agent is called."""
    return Run(id=ids.new("run"), agent_id=agent_id, list_id=agent_id, created_at=datetime.now(UTC))
