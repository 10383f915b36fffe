"""What follows a run: the work of a sleeptime agent, or the next turn in a group (agent 8).

That it follows is written with the run's end, in the same transaction, so no crash loses it
(G-9). The next turn of a round is begun in that transaction, where its agent is free: who reads
the round finds it there once the last turn has ended. To begin what was only planned is to take
its row and put the run in its place, in one transaction again, so it never happens twice. Where
the list is busy the row stays, and the job engine comes back.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from eunoe import ids, telemetry
from eunoe.domain.agents import Agent
from eunoe.domain.followups import MOST_MESSAGES, OF_ROUND, FollowUp, run_of, shown
from eunoe.domain.groups import turned
from eunoe.domain.messages import Message, Text
from eunoe.domain.overheard import Overheard, leaving, overheard_text
from eunoe.domain.runs import Run, RunOptions
from eunoe.errors import EunoeError, ListBusy
from eunoe.runs import line, rounds
from eunoe.runs.approvals import is_asking
from eunoe.runs.overheard import lines_overheard
from eunoe.store import followups, groups, lists, messages, runs
from eunoe.store.db import Actor, Database, Tx, UniqueViolated
from eunoe.store.runs import Origin

_log = structlog.get_logger("eunoe.followups")


class Queue(Protocol):
    """Hands the ids of runs to workers: with a transaction, or in this process after it."""

    async def enqueue_in(self, tx: Tx, run_id: str) -> None: ...

    async def enqueue_here(self, run_id: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The ids of the runs that follow one that ends: `begun` with its end, or to be begun then."""

    begun: tuple[str, ...] = ()
    planned: tuple[str, ...] = ()

    @property
    def run_ids(self) -> tuple[str, ...]:
        return (*self.begun, *self.planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUps:
    """Plans, begins and queues the runs that follow on others."""

    db: Database
    queue: Callable[[], Queue]

    async def plan(self, tx: Tx, run: Run, *, agent: Agent, said: Sequence[Message]) -> Following:
        """Begin the turn that follows a run that ends well, and write down what else follows it.

        Belongs into the transaction that ends `run`. `said` is its agent's window.
        """
        turns = await _next_turn(tx, run, said=said)
        begun = [one for one in turns if await _began(tx, one)]
        planned = [one for one in turns if one not in begun]
        if agent.enable_sleeptime and agent.agent_type == "voice_convo_agent":
            planned += await _overheard(tx, run, said=said)
        elif agent.enable_sleeptime:
            planned += await _sleeptime(tx, run, upto=said[-1].id)
        await followups.insert(tx, planned)
        following = Following(
            begun=tuple(one.run_id for one in begun), planned=tuple(one.run_id for one in planned)
        )
        for run_id in following.run_ids:
            await self.queue().enqueue_in(tx, run_id)
        return following

    async def begin(self, following: Following) -> None:
        """Have carried out what was begun and committed, and begin what was planned, if it can be.

        Never fails: whatever is in the way, the job engine tries again.
        """
        for run_id in following.begun:
            telemetry.record_run_started(OF_ROUND, asked=False)
            await self.queue().enqueue_here(run_id)
        for run_id in following.planned:
            try:
                if not await self.begun(run_id):
                    continue  # It has begun elsewhere, or waits for its list to be handed on.
            except (EunoeError, UniqueViolated) as error:
                _log.info("follow_up.put_off", run_id=run_id, error=type(error).__name__)
            await self.queue().enqueue_here(run_id)

    async def begun(self, run_id: str) -> bool:
        """Put the run in the place of its plan; whether there was one.

        Raises `ListBusy` while another run has the agent's list, or a request for approval
        waits there; the plan stays then.
        """
        async with self.db.read(Actor()) as tx:
            actor = await followups.actor_of(tx, run_id)
        if actor is None:
            return await line.begun(self.db, self._enqueue_in, run_id)
        try:
            async with self.db.write(actor) as tx:
                due = await followups.take(tx, run_id)
                if due is None:
                    return False
                run = _run_now(due)
                await runs.insert(tx, run, Origin())
                if await is_asking(tx, run.list_id):
                    raise ListBusy(run_id=None)
                await _say(tx, due, run)
        except UniqueViolated as clash:
            raise ListBusy(run_id=None) from clash
        telemetry.record_run_started(str(run.metadata["run_type"]), asked=False)
        return True

    async def _enqueue_in(self, tx: Tx, run_id: str) -> None:
        await self.queue().enqueue_in(tx, run_id)


async def _sleeptime(tx: Tx, run: Run, *, upto: str) -> list[FollowUp]:
    """Count a turn of the agent; return the work on its memory that is due with it (G14, G15)."""
    group = await groups.sleeptime_of(tx, run.agent_id, held=True)
    if group is None:
        return []
    after, due = turned(group)
    if not due:
        await groups.note_turn(tx, after)
        return []
    await groups.note_turn(tx, replace(after, last_processed_message_id=upto))
    options = RunOptions(group_id=group.id, traceparent=telemetry.traceparent())
    processed = group.last_processed_message_id
    return [
        _due(run, agent_id, group.id, options, upto=upto, after=processed)
        for agent_id in group.agent_ids
    ]


async def _overheard(tx: Tx, run: Run, *, said: Sequence[Message]) -> list[FollowUp]:
    """Shorten the window of a voice agent that has become long; return who keeps the rest (G23).

    What leaves it stays stored, so nothing is lost where nobody comes to keep it.
    """
    group = await groups.sleeptime_of(tx, run.agent_id, kind="voice_sleeptime", held=True)
    if group is None:
        return []
    most, least = group.max_message_buffer_length, group.min_message_buffer_length
    number = leaving(said, most=most, least=least)
    if not number:
        return []
    ids_said = [message.id for message in said]
    await lists.evict(tx, run.list_id, ids_said[:number], summary=None)
    overheard = Overheard(
        agent_id=run.agent_id,
        left=tuple(ids_said[:number][-MOST_MESSAGES:]),
        stayed=tuple(ids_said[number:][:MOST_MESSAGES]),
    )
    options = RunOptions(
        group_id=group.id, overheard=overheard, traceparent=telemetry.traceparent()
    )
    return [
        _due(run, agent_id, group.id, options, upto=ids_said[-1]) for agent_id in group.agent_ids
    ]


def _due(
    run: Run,
    agent_id: str,
    group_id: str,
    options: RunOptions,
    *,
    upto: str,
    after: str | None = None,
) -> FollowUp:
    return FollowUp(
        run_id=ids.new("run"),
        cause_run_id=run.id,
        group_id=group_id,
        agent_id=agent_id,
        after_message_id=after,
        upto_message_id=upto,
        options=options,
        created_at=datetime.now(UTC),
    )


async def _next_turn(tx: Tx, run: Run, *, said: Sequence[Message]) -> list[FollowUp]:
    """Return the turn that follows in the round that the run belongs to, if there is one."""
    following = await rounds.following(tx, run, said=said)
    if following is None or run.options.group_id is None:
        return []
    agent_id, turn = following
    options = replace(run.options, turn=turn)
    return [_due(run, agent_id, run.options.group_id, options, upto=said[-1].id)]


async def _began(tx: Tx, turn: FollowUp) -> bool:
    """Begin a turn unless its agent is busy, or waits for an answer; whether it has begun."""
    run = _run_now(turn)
    if not await runs.insert_where_free(tx, run):
        return False
    # Looked at once the list is claimed: nobody else can ask there any more.
    if await is_asking(tx, run.list_id):
        await runs.delete(tx, run.id)
        return False
    await _say(tx, turn, run)
    return True


def _run_now(due: FollowUp) -> Run:
    return replace(run_of(due), created_at=datetime.now(UTC))


async def _say(tx: Tx, due: FollowUp, run: Run) -> None:
    """Tell the agent of a run that has begun what it is to know."""
    in_round = run.options.turn is not None
    told = await rounds.told(tx, run) if in_round else [await _transcript(tx, due, run)]
    await lists.append(tx, run.list_id, told)


async def _transcript(tx: Tx, due: FollowUp, run: Run) -> Message:
    overheard = due.options.overheard
    if overheard is None:
        said = await messages.between(
            tx, after_id=due.after_message_id, upto_id=due.upto_message_id, limit=MOST_MESSAGES
        )
        text = shown(said)
    else:
        text = overheard_text(*await lines_overheard(tx, overheard))
    return Message(
        id=ids.new("message"),
        role="user",
        agent_id=due.agent_id,
        content=(Text(text=text),),
        otid=str(uuid.uuid4()),
        group_id=due.group_id,
        run_id=run.id,
        created_at=run.created_at,
    )
