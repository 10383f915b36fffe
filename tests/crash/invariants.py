"""What is true of a database at rest, whatever happened before (streaming 10.2)."""

from collections import Counter
from collections.abc import Sequence

from eunoe.domain.approvals import pending
from eunoe.domain.events import Ended, RunEvent, Stopped
from eunoe.domain.messages import Message
from eunoe.domain.runs import Run, Step, Usage, is_terminal
from eunoe.store import events, lists, runs, steps
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.paging import Page
from eunoe.store.runs import RunFilter
from eunoe.store.steps import StepFilter

_MANY = 10_000


async def faults(db: Database) -> list[str]:
    """Return what is wrong with the database, a sentence each; nothing where all is well."""
    async with db.read(Actor()) as tx:
        found = await runs.list_runs(tx, RunFilter(), Page(limit=_MANY))
        wrong = await _faults_of_rows(tx)
        for run in found:
            wrong += _faults_of_run(
                run,
                await steps.list_steps(
                    tx, StepFilter(run_id=run.id), Page(limit=0, ascending=True)
                ),
            )
            said = [event async for event in _events(tx, run.id)]
            wrong += [f"{run.id}: {what}" for what in _faults_of_events(said)]
        for (list_id,) in await tx.fetch("SELECT id FROM message_lists"):
            window = await lists.window(tx, list_id)
            wrong += [f"{list_id}: {what}" for what in faults_of_window(window)]
    return wrong


async def _faults_of_rows(tx: Tx) -> list[str]:
    questions = {
        "entries of a list without their message": "SELECT COUNT(*) FROM list_entries"
        " LEFT JOIN messages ON messages.seq = list_entries.message_seq"
        " WHERE messages.seq IS NULL",
        "messages that no list has": "SELECT COUNT(*) FROM messages"
        " LEFT JOIN list_entries ON messages.seq = list_entries.message_seq"
        " WHERE list_entries.message_seq IS NULL",
        "messages of a step that is not stored": "SELECT COUNT(*) FROM messages"
        " LEFT JOIN steps ON steps.id = messages.step_id"
        " WHERE messages.step_id IS NOT NULL AND steps.id IS NULL",
        "steps that are pending": "SELECT COUNT(*) FROM steps WHERE status = 'pending'",
        "messages out of the window that no compaction took": "SELECT COUNT(*) FROM list_entries"
        " JOIN messages said ON said.seq = list_entries.message_seq"
        " JOIN agents ON agents.id = said.agent_id AND agents.message_buffer_autoclear = 0"
        " WHERE position IS NULL AND NOT EXISTS (SELECT 1 FROM list_entries other"
        " JOIN messages ON messages.seq = other.message_seq"
        " WHERE other.list_id = list_entries.list_id AND messages.role = 'summary')",
    }
    wrong: list[str] = []
    for what, sql in questions.items():
        if count := await tx.fetch_value(sql):
            wrong.append(f"{count} {what}")
    return wrong


def _faults_of_run(run: Run, made: Sequence[Step]) -> list[str]:
    wrong: list[str] = []
    if not is_terminal(run.status):
        wrong.append(f"{run.id}: it is {run.status}")
    elif run.completed_at is None or run.stop_reason is None:
        wrong.append(f"{run.id}: it ended without a time or a reason")
    counted = [step for step in made if step.status != "failed"]
    if run.step_count != len(counted):
        wrong.append(f"{run.id}: {run.step_count} steps counted, {len(counted)} stored")
    if run.usage.total_tokens != sum((step.usage for step in counted), Usage()).total_tokens:
        wrong.append(f"{run.id}: its usage is not the sum of its steps")
    return wrong


async def _events(tx: Tx, run_id: str):  # noqa: ANN202 -- an async generator of (place, event)
    after = 0
    while batch := await events.read(tx, run_id, after=after):
        for seq, event in batch:
            after = seq
            yield seq, event


def _faults_of_events(said: Sequence[tuple[int, RunEvent]]) -> list[str]:
    wrong: list[str] = []
    places = [place for place, _ in said]
    if places != list(range(2, len(places) + 2)):
        wrong.append(f"the places of its events have gaps: {places}")
    if sum(isinstance(event, Stopped) for _, event in said) != 1:
        wrong.append("it has not one stop reason")
    if not said or not isinstance(said[-1][1], Ended):
        wrong.append("its events do not end")
    if sum(isinstance(event, Ended) for _, event in said) > 1:
        wrong.append("its events end twice")
    return wrong


def faults_of_window(window: Sequence[Message]) -> list[str]:
    """Return what is wrong with one window: ids, and each call's one return after it (G-2)."""
    wrong: list[str] = []
    if not window or window[0].role != "system":
        wrong.append("it does not begin with the system message")
    wrong += [f"{i} is there {n} times" for i, n in Counter(m.id for m in window).items() if n > 1]
    waiting: Counter[str] = Counter()
    answered = False
    for message in window:
        # What was said with answers stands between the calls and what they have come to.
        answered = bool(message.approvals) or (answered and not message.returns)
        if message.role not in ("tool", "approval") and waiting and not answered:
            wrong.append(f"calls without a return before {message.id}: {sorted(waiting)}")
            waiting.clear()
        waiting.update(call.id for call in message.calls)
        for returned in message.returns:
            if waiting[returned.call_id] != 1:
                wrong.append(f"a return for {returned.call_id}, called {waiting[returned.call_id]}")
            del waiting[returned.call_id]
    if waiting and pending(window) is None:
        wrong.append(f"calls without a return at the end: {sorted(waiting)}")
    return wrong
