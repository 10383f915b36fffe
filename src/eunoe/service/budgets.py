"""Setting budgets: one counts from the start of its period, whenever it is set."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from eunoe import ids
from eunoe.domain.budgets import Budget, Period, start_of
from eunoe.errors import Missing
from eunoe.store import agents, audit, budgets, costs, keys
from eunoe.store.costs import CostFilter
from eunoe.store.db import Actor, Database, Tx

ORGANIZATION: Final = "organization"
"""What stands for the actor's own organization, in the place of an id."""

_SETTLED: Final = timedelta(hours=1)
"""A step that began longer ago is stored by now: such are summed up where nobody waits for it."""


async def put(
    db: Database, actor: Actor, subject: str, period: Period, *, limit_nanos: int
) -> Budget:
    """Bound what is spent; what was spent in the period already counts. Raises `Missing`."""
    now = datetime.now(UTC)
    subject_id, of = _subject(actor, subject)
    budget = Budget(
        id=ids.new("budget"),
        subject_id=subject_id,
        period=period,
        limit_nanos=limit_nanos,
        spent_nanos=0,
        since=start_of(period, now),
        created_at=now,
    )
    split = max(budget.since, now - _SETTLED)
    async with db.read(actor, long=True) as tx:
        before = await _spent(tx, replace(of, since=budget.since, until=split))
    async with db.write(actor) as tx:
        await _check(tx, subject_id)
        spent = before + await _spent(tx, replace(of, since=split))
        await audit.note(tx, "budget.set", subject_id)
        return await budgets.put(tx, replace(budget, spent_nanos=spent))


async def delete(db: Database, actor: Actor, subject: str, period: Period) -> None:
    """Remove a budget; raise `Missing` where there is none."""
    subject_id, _ = _subject(actor, subject)
    async with db.write(actor) as tx:
        if not await budgets.delete(tx, subject_id, period):
            raise Missing(f"There is no budget of {subject[:80]} by {period}.")
        await audit.note(tx, "budget.delete", subject_id)


def _subject(actor: Actor, subject: str) -> tuple[str, CostFilter]:
    """Return whose budget it is, and which steps it counts."""
    if subject == ORGANIZATION:
        return actor.organization_id, CostFilter()
    if ids.is_id("agent", subject):
        return subject, CostFilter(agent_id=subject)
    return subject, CostFilter(key_id=subject)


async def _check(tx: Tx, subject_id: str) -> None:
    """Raise `Missing` unless the actor's organization has this."""
    if subject_id == tx.actor.organization_id or await agents.type_of(tx, subject_id):
        return
    if not await keys.is_of(tx, subject_id):
        raise Missing(f"There is no agent or key {subject_id[:80]}.")


async def _spent(tx: Tx, of: CostFilter) -> int:
    found = await costs.sums(tx, of)
    return (found[0].cost_nanos or 0) if found else 0
