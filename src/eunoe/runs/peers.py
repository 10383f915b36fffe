"""How an agent reaches others while it runs: ordinary runs of theirs, by the same entrance."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

from eunoe.domain.agents import Agent
from eunoe.domain.inputs import InputMessage
from eunoe.domain.messages import Text
from eunoe.domain.peers import MOST_DEEP, announced, answers
from eunoe.domain.runs import Run, RunOptions, status_of
from eunoe.engine.cancellation import Cancellation
from eunoe.errors import ListBusy, PeerBusy, PeerFailed, PeersTooDeep, PeerWaits
from eunoe.runs.outcome import Outcome
from eunoe.runs.submit import Submission, Submitted
from eunoe.store import agents, groups, related
from eunoe.store.agents import AgentFilter
from eunoe.store.db import Actor, Database
from eunoe.store.paging import Page

_PAGE: Final = 1_000


class Entrance(Protocol):
    """Where runs are taken in and followed: the runner."""

    async def submit(self, actor: Actor, submission: Submission) -> Submitted: ...

    async def fold(self, actor: Actor, run_id: str) -> Outcome: ...

    async def cancel(
        self,
        actor: Actor,
        *,
        agent_id: str | None = None,
        conversation_id: str | None = None,
        run_ids: Sequence[str] | None = None,
    ) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPeers:
    """The other agents as `agent` reaches them in `run` (FIX-65)."""

    db: Database
    entrance: Entrance
    actor: Actor
    agent: Agent
    run: Run
    cancellation: Cancellation

    async def ask(self, agent_id: str, text: str) -> tuple[str, ...]:
        if agent_id == self.agent.id or agent_id in self.run.options.callers:
            raise PeerWaits(agent_id=agent_id)
        sent: list[str] = []
        # Cut off in there, nobody would know the run that may have begun.
        with anyio.CancelScope(shield=True):
            sent.append(await self._sent(agent_id, text, waits=True))
        try:
            outcome = await self.entrance.fold(self.actor, sent[0])
        except anyio.get_cancelled_exc_class():
            # A process that stops leaves the other's run to its next owner.
            if self.cancellation.requested:
                with anyio.CancelScope(shield=True):
                    await self.entrance.cancel(self.actor, run_ids=sent)
            raise
        said = answers(outcome.views)
        if outcome.failed is not None:
            raise PeerFailed(f"The agent {agent_id} failed: {outcome.failed.message}")
        reason = outcome.reason
        if not said and (reason == "requires_approval" or status_of(reason) != "completed"):
            raise PeerFailed(f"The agent {agent_id} gave no answer: it stopped ({reason}).")
        return said

    async def tell(self, agent_id: str, text: str) -> None:
        await self._sent(agent_id, text, waits=False)

    async def tagged(self, *, every: Sequence[str], some: Sequence[str]) -> tuple[str, ...]:
        where = AgentFilter(tags=tuple(every or some), match_all_tags=bool(every))
        found: list[str] = []
        page = Page(limit=_PAGE, ascending=True)
        while True:
            async with self.db.read(self.actor) as tx:
                listed = await agents.list_agents(tx, where, page)
            found += [
                one.id
                for one in listed
                if one.id != self.agent.id and (not some or set(some) & set(one.tags))
            ]
            if len(listed) < _PAGE:
                return tuple(found)
            page = Page(limit=_PAGE, ascending=True, after=listed[-1].id)

    async def members(self) -> tuple[str, ...]:
        async with self.db.read(self.actor) as tx:
            managed = await related.of_one(tx, self.agent.id, groups.MANAGED)
        return () if managed is None else managed.agent_ids

    async def _sent(self, agent_id: str, text: str, *, waits: bool) -> str:
        """Return the id of the run that answers; raise `PeersTooDeep`, `PeerBusy`, `Missing`."""
        options = self.run.options
        if options.depth >= MOST_DEEP:
            raise PeersTooDeep(depth=options.depth)
        announcement = announced(text, sender_id=self.agent.id, sender=self.agent.name, waits=waits)
        submission = Submission(
            agent_id=agent_id,
            messages=(
                InputMessage(
                    role="system",
                    content=(Text(text=announcement),),
                    otid=str(uuid.uuid4()),
                    sender_id=self.agent.id,
                ),
            ),
            options=RunOptions(
                callers=(*options.callers, self.agent.id) if waits else (), depth=options.depth + 1
            ),
            background=not waits,
            run_type="send_message" if waits else "send_message_async",
            # Two that waited for each other in line would wait for ever.
            busy="reject" if waits else "queue",
        )
        try:
            return (await self.entrance.submit(self.actor, submission)).run.id
        except ListBusy as busy:
            raise PeerBusy(agent_id=agent_id) from busy
