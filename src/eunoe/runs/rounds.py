"""A group that answers turn by turn: each turn is a run, and its end plans the next (agent 8.2)."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Protocol, assert_never

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.events import Compacting, Ended, Failed, RunEvent, Shown, Started, Stopped, Used
from eunoe.domain.groups import Group
from eunoe.domain.messages import Message, Text
from eunoe.domain.peers import answers
from eunoe.domain.rounds import Turn, next_turn, options, question
from eunoe.domain.runs import Run, Usage
from eunoe.domain.views import views
from eunoe.store import agents, groups, messages, runs
from eunoe.store.db import Actor, Database, Tx

_MOST_HEARD: Final = 500


class Read(Protocol):
    """Reads the events of one run."""

    def __call__(
        self, actor: Actor, run_id: str, *, after: int = 0
    ) -> AsyncGenerator[tuple[int, RunEvent]]: ...


async def following(tx: Tx, run: Run, *, said: Sequence[Message]) -> Turn | None:
    """Return whose turn follows the run, null where it belongs to no round, or ends one."""
    turn, group_id = run.options.turn, run.options.group_id
    group = None if turn is None or group_id is None else await groups.get(tx, group_id)
    if group is None or turn is None:
        return None
    own = [one for one in said if one.run_id == run.id and one.role == "assistant"]
    return next_turn(
        group,
        turn=turn,
        spoke=run.agent_id,
        said="\n".join(answers(view for one in own for view in views(one))),
        names=_names(await agents.many(tx, group.agent_ids)),
        before=await _before(tx, group, turn=turn),
    )


async def told(tx: Tx, run: Run) -> list[Message]:
    """Return what the agent of a turn is told before it speaks."""
    group = await groups.get(tx, run.options.group_id or "")
    if group is None:
        return []
    return [
        replace(line, run_id=run.id, created_at=run.created_at)
        for line in (
            *await heard(tx, group, by=run.agent_id),
            *await asked(tx, group, by=run.agent_id, turn=run.options.turn),
        )
    ]


async def heard(tx: Tx, group: Group, *, by: str) -> list[Message]:
    """Return all that was said in the group since the agent's last turn, for its list (G5)."""
    said = await messages.unheard(tx, group.id, by=by, limit=_MOST_HEARD)
    if group.manager_type == "dynamic":
        # What its manager says is no part of the conversation.
        said = [one for one in said if one.role == "user" or one.agent_id != group.manager_agent_id]
    authors = await agents.many(tx, list({one.agent_id for one in said}))
    return [
        replace(
            line,
            id=ids.new("message"),
            agent_id=by,
            conversation_id=None,
            step_id=None,
            group_id=group.id,
        )
        for one in said
        for line in _told(one, authors.get(one.agent_id))
    ]


async def asked(tx: Tx, group: Group, *, by: str, turn: int | None) -> list[Message]:
    """Return the question who is next, for the manager of a dynamic group (G7)."""
    if turn is None or group.manager_type != "dynamic" or by != group.manager_agent_id:
        return []
    names = _names(await agents.many(tx, group.agent_ids))
    choice = options(group, names=names, before=await _before(tx, group, turn=turn))
    return [
        Message(
            id=ids.new("message"),
            role="system",
            agent_id=by,
            content=(Text(text=question(group, choice)),),
            otid=str(uuid.uuid4()),
            group_id=group.id,
            created_at=datetime.now(UTC),
        )
    ]


async def read_round(
    db: Database, read: Read, actor: Actor, run_id: str, *, after: int
) -> AsyncGenerator[tuple[int, RunEvent]]:
    """Yield what a round says past `after`, from its first run on, as if one run said it.

    The places are counted anew and are the same at every reading (G-4). A turn that has to
    wait for its agent is named by the usage and not waited for.
    """
    whole, seq, turn = _Whole(), 0, run_id
    while turn:
        member = await _is_members(db, actor, turn)
        async for _, event in read(actor, turn):
            if whole.shows(event, first=turn == run_id, member=member):
                seq += 1
                if seq > after:
                    yield seq, event
        turn = await _turn_among(db, actor, whole.left)
        whole.left = tuple(one for one in whole.left if one != turn)
    for last in enumerate(whole.last_words(), seq + 1):
        if last[0] > after:
            yield last


@dataclass(slots=True)
class _Whole:
    """What the runs of a round come to; `left` are the runs that follow the last one."""

    usage: Usage = field(default_factory=Usage)
    steps: int = 0
    stopped: Stopped = field(default_factory=lambda: Stopped(reason="error"))
    failed: Failed | None = None
    left: tuple[str, ...] = ()

    def shows(self, event: RunEvent, *, first: bool, member: bool) -> bool:
        """Take an event in; whether it is shown by itself. What who decides says is not."""
        match event:
            case Started():
                return first
            case Shown() | Compacting():
                return member
            case Stopped():
                self.stopped = event
            case Used():
                self.usage += event.usage
                self.steps += event.step_count
                self.left += event.run_ids or ()
            case Failed():
                self.failed = event
            case Ended():
                pass
            case _:
                assert_never(event)
        return False

    def last_words(self) -> list[RunEvent]:
        used = Used(
            usage=self.usage, step_count=self.steps, context_tokens=None, run_ids=self.left or None
        )
        return [self.stopped, used, *([self.failed] if self.failed else []), Ended()]


async def _is_members(db: Database, actor: Actor, run_id: str) -> bool:
    """Whether the run is a member's turn, and not that of who decides whose turn is next."""
    async with db.read(actor) as tx:
        run = await runs.get(tx, run_id)
        group = None if run is None else await groups.get(tx, run.options.group_id or "")
    return group is None or run is None or run.agent_id != group.manager_agent_id


async def _turn_among(db: Database, actor: Actor, run_ids: Sequence[str]) -> str:
    """Return the run that is the round's next turn, nothing where it waits for its agent.

    The transaction that ends a turn begins the next one: who read the end finds it here.
    """
    async with db.read(actor) as tx:
        for run_id in run_ids:
            run = await runs.get(tx, run_id)
            if run is not None and run.options.turn is not None:
                return run_id
    return ""


async def _before(tx: Tx, group: Group, *, turn: int) -> str | None:
    if turn == 0:
        return None
    return await messages.last_speaker(tx, group.id, but=group.manager_agent_id)


def _told(message: Message, author: Agent | None) -> list[Message]:
    """Return a message as the others in the group get it: a person's as it is, an agent's named."""
    if message.role == "user":
        return [message]
    name = author.name if author is not None else message.agent_id
    return [
        replace(
            message,
            role="system",
            content=(Text(text=f"{name}: {text}"),),
            calls=(),
            model=None,
            otid=str(uuid.uuid4()),
            name=name,
            sender_id=message.agent_id,
        )
        for text in answers(views(message))
    ]


def _names(found: dict[str, Agent]) -> dict[str, str]:
    return {agent_id: agent.name for agent_id, agent in found.items()}
