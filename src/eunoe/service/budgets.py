"""Setting budgets: one counts from the start of its period, whenever it is set."""

from datetime import UTC, datetime
from typing import Final

from eunoe import ids
from eunoe.domain.costs import Budget, Period, start_of
from eunoe.errors import Missing
from eunoe.store import audit, budgets, costs
from eunoe.store.costs import CostFilter
from eunoe.store.db import Actor, Database

ORGANIZATION: Final = "organization"
"""What stands for the actor's own organization, in the place of an id."""


async def put(
    db: Database, actor: Actor, subject: str, period: Period, *, limit_nanos: int
) -> Budget:
    """Bound what is spent; what was spent in the period already counts. Raises `Missing`."""
    now = datetime.now(UTC)
    since, is_agent = start_of(period, now), ids.is_id("agent", subject)
    of = CostFilter(
        since=since,
        agent_id=subject if is_agent else None,
        key_id=None if is_agent or subject == ORGANIZATION else subject,
    )
    # A long sum, which nobody is to wait for.
    async with db.read(actor, long=True) as tx:
        spent = sum(one.cost_nanos or 0 for one in await costs.sums(tx, of))
    budget = Budget(
        id=ids.new("budget"),
        subject_id=_id_of(actor, subject),
        period=period,
        limit_nanos=limit_nanos,
        spent_nanos=spent,
        since=since,
        created_at=now,
    )
    async with db.write(actor) as tx:
        made = await budgets.put(tx, budget)
        if made is None:
            raise Missing(f"There is no agent or key {subject[:80]}.")
        await audit.note(tx, "budget.set", budget.subject_id)
        return made


async def delete(db: Database, actor: Actor, subject: str, period: Period) -> None:
    """Remove a budget; raise `Missing` where there is none."""
    subject_id = _id_of(actor, subject)
    async with db.write(actor) as tx:
        if not await budgets.delete(tx, subject_id, period):
            raise Missing(f"There is no budget of {subject[:80]} by {period}.")
        await audit.note(tx, "budget.delete", subject_id)


def _id_of(actor: Actor, subject: str) -> str:
    return actor.organization_id if subject == ORGANIZATION else subject
