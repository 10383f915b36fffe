"""Requests for approval that policies look after: whom to tell, and what becomes of them.

Both are rows, written with the request. A deadline that has passed answers as a person would,
through the same door, and its row goes in the transaction that stores the answer: so it answers
once, and never a request that somebody else has answered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eunoe.domain.agents import Agent
from eunoe.domain.approvals import asks
from eunoe.domain.call_policies import Deadline
from eunoe.domain.inputs import Answers
from eunoe.domain.messages import Message
from eunoe.domain.runs import Run, RunOptions
from eunoe.errors import ApprovalRefused
from eunoe.runs.jobs import Duty, present
from eunoe.runs.schedules import Entrance
from eunoe.runs.submit import Claim, Submission, Taken
from eunoe.store import callbacks, deadlines, lists, messages, runs
from eunoe.store.db import Actor, Database, Tx

DEADLINE: Final = "deadline"
_RUN_TYPE: Final = "approval_expired"
_AT_ONCE: Final = 4


async def noted(
    tx: Tx, agent: Agent, said: Sequence[Message], deadline: Deadline | None, *, now: datetime
) -> None:
    """Write down whom to tell of a request among `said`, and when it is decided by itself."""
    policies = agent.call_policies
    if policies is None or not said or not asks(said[-1]):
        return
    if deadline is not None:
        await deadlines.insert(tx, said[-1].id, agent.id, deadline)
    if policies.webhook_url is not None:
        await callbacks.insert(tx, said[-1].id, policies.webhook_url, at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    db: Database
    entrance: Entrance
    now: Callable[[], datetime] = present

    def duty(self) -> Duty:
        return Duty(name=DEADLINE, carry_out=self.carry_out, pending=self.pending, at_once=_AT_ONCE)

    async def pending(self) -> list[str]:
        async with self.db.read(Actor()) as tx:
            return await deadlines.due(tx, now=self.now())

    async def carry_out(self, request_id: str) -> None:
        """Answer a request whose time has come; raise what keeps its list from being answered."""
        async with self.db.read(Actor()) as tx:
            found = await deadlines.get(tx, request_id)
        if found is None or found[1].at > self.now():
            return
        actor, deadline = found
        async with self.db.read(actor) as tx:
            asked = await messages.get(tx, request_id)
            asker = None if asked is None else await runs.get(tx, asked.run_id or "")
        try:
            if asked is not None:
                answering = _answering(asked, deadline, asker)
                await self.entrance.submit(actor, answering, claim=_claim(asked))
                return
        except (ApprovalRefused, Taken):
            pass  # It has been answered, or another request stands in its place.
        async with self.db.write(actor) as tx:
            await deadlines.remove(tx, request_id)


def _answering(asked: Message, deadline: Deadline, asker: Run | None) -> Submission:
    """Return the answer to a request, with what its run was asked to be."""
    options = RunOptions() if asker is None else asker.options
    return Submission(
        agent_id=asked.agent_id,
        conversation_id=asked.conversation_id,
        messages=(),
        answers=Answers(given=deadline.answers),
        options=replace(options, callers=(), turn=None, overheard=None),
        background=True,
        run_type=_RUN_TYPE,
    )


def _claim(asked: Message) -> Claim:
    async def claim(tx: Tx, run_id: str) -> bool:
        """Whether it is this request that was answered just now, and by its deadline."""
        del run_id
        (answer,) = await lists.newest(tx, asked.conversation_id or asked.agent_id, limit=1)
        return answer.request_id == asked.id and await deadlines.remove(tx, asked.id)

    return claim
