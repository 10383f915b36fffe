"""The runs that wait for a message list at work: joining, beginning and leaving the line.

Until it begins a run holds a list of its own, so that the index which claims lists counts it
nowhere (G-12). What it says is stored with its place and comes into the list when it begins;
the end of a run names who is next, so that nobody has to look (G-25).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from eunoe import telemetry
from eunoe.domain.events import Ended, Stopped, Used
from eunoe.domain.messages import Message
from eunoe.domain.runs import Run, finished
from eunoe.errors import ApprovalPending, LineFull
from eunoe.runs.approvals import admitted
from eunoe.store import budgets, callbacks, events, lists, runs, waiting
from eunoe.store.db import Actor, Database, Tx, UniqueViolated
from eunoe.store.runs import Origin

MOST_WAITING: Final = 100


async def join(tx: Tx, run: Run, origin: Origin, said: Sequence[Message], *, urgent: bool) -> Run:
    """Store a run that waits for `run.list_id`; return it as it waits.

    Raises `LineFull`, and `BudgetSpent`.
    """
    if await waiting.count(tx, run.list_id) >= MOST_WAITING:
        raise LineFull
    waits = replace(run, list_id=run.id)
    if await runs.insert(tx, waits, origin):
        await budgets.admit(tx, run.agent_id, now=run.created_at)
    await waiting.insert(tx, run, said, urgent=urgent)
    return waits


async def begun(
    db: Database, enqueue_in: Callable[[Tx, str], Awaitable[None]], run_id: str
) -> bool:
    """Begin a run whose turn it is; false where it does not wait, or has to go on waiting.

    It has to while another run holds the list, and while a request for approval waits there.
    """
    async with db.read(Actor()) as tx:
        actor = await waiting.actor_of(tx, run_id)
    if actor is None:
        return False
    try:
        async with db.write(actor) as tx:
            return await _began(tx, enqueue_in, run_id)
    except (UniqueViolated, ApprovalPending):
        return False


async def _began(tx: Tx, enqueue_in: Callable[[Tx, str], Awaitable[None]], run_id: str) -> bool:
    list_id = await waiting.list_of(tx, run_id)
    if list_id is None or await waiting.first(tx, list_id) != run_id:
        return False
    taken = await waiting.take(tx, run_id)
    if taken is None:
        return False
    await waiting.claim_list(tx, run_id, list_id)
    run = await runs.get(tx, run_id)
    last_role = None if run is None else await lists.last_role(tx, list_id, agent_id=run.agent_id)
    if run is None or last_role is None:  # The list was deleted meanwhile.
        await _ended_unsaid(tx, run)
        return False
    await lists.append(tx, list_id, await admitted(tx, run, None, taken[1], last_role=last_role))
    await enqueue_in(tx, run_id)
    return True


async def left(tx: Tx, run: Run) -> bool:
    """End a run that waits as cancelled; whether it did wait. What it would have said is unsaid."""
    if await waiting.take(tx, run.id) is None:
        return False
    await _ended_unsaid(tx, run)
    return True


async def _ended_unsaid(tx: Tx, run: Run | None) -> None:
    if run is None:
        return
    now = datetime.now(UTC)
    duration_ns = int((now - run.created_at).total_seconds() * 1e9)
    await runs.end(tx, finished(run, reason="cancelled", at=now, duration_ns=duration_ns))
    if run.options.callback_url is not None:
        await callbacks.insert(tx, run.id, run.options.callback_url, at=now)
    telemetry.record_run_finished(
        status="cancelled", stop_reason="cancelled", run_type=str(run.metadata.get("run_type"))
    )
    used = Used(usage=run.usage, step_count=0, context_tokens=None)
    await events.append(
        tx, run.id, list(enumerate([Stopped(reason="cancelled"), used, Ended()], 2))
    )
