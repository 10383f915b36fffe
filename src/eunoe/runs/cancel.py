"""Stopping runs: a row that whoever owns the run sees, and a wake-up where that is this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from eunoe.domain.messages import Message
from eunoe.domain.runs import ACTIVE, Run, is_terminal
from eunoe.engine.cancellation import Cancellation
from eunoe.errors import NothingToCancel
from eunoe.runs import line
from eunoe.runs.approvals import withdrawn
from eunoe.store import agents, lists, related, runs, waiting
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there
from eunoe.store.paging import Page
from eunoe.store.runs import RunFilter

_AT_ONCE = 1_000
"""More than can wait for a list, so that who has it is among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What became of each run; which of them waited, and which get the lists that are free now."""

    outcomes: dict[str, str]
    unsaid: Sequence[str]
    following: Sequence[str]


async def cancel(
    db: Database,
    running: Mapping[str, Cancellation],
    warn: Callable[[str], None],
    actor: Actor,
    *,
    agent_id: str | None,
    conversation_id: str | None,
    run_ids: Sequence[str] | None,
) -> Cancelled:
    """Ask the chosen runs to stop; return each run's id with `cancelled`, or how it has ended.

    `failed` is said of a run that is not there, too. Repeating the call changes nothing.
    Raises `Missing` for an unknown agent.
    """
    async with db.write(actor) as tx:
        if agent_id is not None:
            there(await agents.type_of(tx, agent_id), "agent", agent_id)
        chosen = await _chosen(
            tx, agent_id=agent_id, conversation_id=conversation_id, run_ids=run_ids
        )
        if not chosen:
            raise NothingToCancel
        outcomes = {run_id: await _ask(tx, run, agent_id) for run_id, run in chosen.items()}
        freed = {
            run.list_id for run in chosen.values() if run is not None and is_terminal(run.status)
        }
        following = [await waiting.first(tx, list_id) for list_id in freed]
    for run_id, outcome in outcomes.items():
        if outcome == "cancelled":  # Nobody works on one that waited, so that nobody hears it.
            warn(run_id)
            if run_id in running:
                running[run_id].request()
    return Cancelled(
        outcomes=outcomes,
        unsaid=[run.id for run in chosen.values() if run is not None and run.waits],
        following=[run_id for run_id in following if run_id is not None],
    )


async def _chosen(
    tx: Tx, *, agent_id: str | None, conversation_id: str | None, run_ids: Sequence[str] | None
) -> dict[str, Run | None]:
    if run_ids:
        return {run_id: await runs.get(tx, run_id) for run_id in run_ids}
    where = RunFilter(
        agent_ids=(agent_id,) if agent_id else (), conversation_id=conversation_id, statuses=ACTIVE
    )
    active = await runs.list_runs(tx, where, Page(limit=_AT_ONCE))
    waiting = await _waiting(tx, agent_id=agent_id, conversation_id=conversation_id)
    return {run.id: run for run in (*active, *waiting)}


async def _waiting(tx: Tx, *, agent_id: str | None, conversation_id: str | None) -> list[Run]:
    """Return the runs that ended with a request which nobody has answered (streaming 4.7.6)."""
    if conversation_id is not None:
        list_ids = [conversation_id]
    else:
        list_ids = [] if agent_id is None else await lists.of_agent(tx, agent_id)
    asked = await related.of_all(tx, list_ids, request=lists.REQUEST) if list_ids else {}
    requests: list[Message | None] = [one["request"] for one in asked.values()]
    found = [await runs.get(tx, one.run_id) for one in requests if one and one.run_id]
    return [run for run in found if run is not None]


async def _ask(tx: Tx, run: Run | None, agent_id: str | None) -> str:
    """Return what becomes of one run; a run of another agent is not there."""
    if run is None or (agent_id is not None and run.agent_id != agent_id):
        return "failed"
    if run.stop_reason == "requires_approval":
        return "cancelled" if await withdrawn(tx, run, now=datetime.now(UTC)) else run.status
    if is_terminal(run.status):
        return run.status
    if run.waits and await line.left(tx, run):
        return "cancelled"
    await runs.request_cancel(tx, run.id)
    return "cancelled"
