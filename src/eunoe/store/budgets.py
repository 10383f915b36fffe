"""Queries on budgets: a row counts what is spent, in the transaction of the step that spends it."""

from datetime import datetime
from typing import Final

from eunoe.domain.costs import Budget, Period, start_of
from eunoe.errors import BudgetSpent
from eunoe.store import own
from eunoe.store.db import Tx, Value, to_micros
from eunoe.store.mapping import MADE, TIME, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

ANY: Final = "EXISTS (SELECT 1 FROM budgets WHERE budgets.organization_id = {})"
"""Whether an organization has budgets, for statements that are made anyway."""

_BUDGETS: Final = mapped(Budget, "budgets", noun="budget", kept={**MADE, "since": TIME})
_COUNT: Final = "organization_id = $1 AND subject_id IN ($1, $2, $3)"  # as `_who` binds them
_BEGAN: Final = (
    "CASE period WHEN 'day' THEN CAST($4 AS BIGINT) WHEN 'month' THEN CAST($5 AS BIGINT) ELSE 0 END"
)
_SPENT: Final = f"CASE WHEN since >= {_BEGAN} THEN spent_nanos ELSE 0 END"


async def charge(tx: Tx, agent_id: str, cost_nanos: int, *, now: datetime) -> bool:
    """Count what the actor spends with an agent; whether a budget of theirs is spent then."""
    rows = await tx.fetch(
        f"UPDATE budgets SET spent_nanos = {_SPENT} + $6,"
        f" since = CASE WHEN since >= {_BEGAN} THEN since ELSE {_BEGAN} END"
        # Always in one order, so that two steps never wait for each other.
        f" WHERE id IN (SELECT id FROM budgets WHERE {_COUNT} ORDER BY id"
        f"{own.lock(tx, 'budgets', held=True)}) RETURNING spent_nanos >= limit_nanos",
        *_who(tx, agent_id, now),
        cost_nanos,
    )
    return any(row[0] for row in rows)


async def spent(tx: Tx, agent_id: str, *, now: datetime) -> str | None:
    """Return whose budget is spent of those that count for the actor with an agent, if one is."""
    found: str | None = await tx.fetch_value(
        f"SELECT subject_id FROM budgets WHERE {_COUNT} AND {_SPENT} >= limit_nanos LIMIT 1",
        *_who(tx, agent_id, now),
    )
    return found


async def admit(tx: Tx, agent_id: str, *, now: datetime) -> None:
    """Raise `BudgetSpent` where the actor may ask this agent for nothing more."""
    subject_id = await spent(tx, agent_id, now=now)
    if subject_id is not None:
        raise BudgetSpent(f"The budget of {subject_id} is spent; raise it, or wait for the next.")


async def put(tx: Tx, budget: Budget) -> Budget | None:
    """Store a budget, or the new limit of the one that there is; return it as it is then.

    Null where the organization has no such agent or key.
    """
    row = await tx.fetch_one(
        "INSERT INTO budgets (id, organization_id, subject_id, agent_id, key_id, period,"
        " limit_nanos, spent_nanos, since, created_at)"
        " SELECT $1, $2, $3, agent_id, key_id, $4, $5, $6, $7, $8 FROM"
        " (SELECT id, NULL AS agent_id, NULL AS key_id FROM organizations WHERE id = $2"
        " UNION ALL SELECT id, id, NULL FROM agents WHERE organization_id = $2"
        " UNION ALL SELECT id, NULL, id FROM api_keys WHERE organization_id = $2) AS it"
        " WHERE it.id = $3 ON CONFLICT (organization_id, subject_id, period) DO UPDATE"
        f" SET limit_nanos = excluded.limit_nanos RETURNING {_BUDGETS.columns}",
        budget.id,
        tx.actor.organization_id,
        budget.subject_id,
        budget.period,
        budget.limit_nanos,
        budget.spent_nanos,
        to_micros(budget.since),
        to_micros(budget.created_at),
    )
    return None if row is None else _BUDGETS.read(tx, row)


async def list_budgets(tx: Tx, page: Page) -> list[Budget]:
    return await own.page(tx, _BUDGETS, of_organization(tx, "budgets"), page)


async def delete(tx: Tx, subject_id: str, period: Period) -> bool:
    """Remove a budget; whether there was one."""
    return bool(
        await tx.execute(
            "DELETE FROM budgets WHERE organization_id = $1 AND subject_id = $2 AND period = $3",
            tx.actor.organization_id,
            subject_id,
            period,
        )
    )


async def clear(tx: Tx) -> None:
    """Remove all budgets of the organization."""
    await tx.execute("DELETE FROM budgets WHERE organization_id = $1", tx.actor.organization_id)


def _who(tx: Tx, agent_id: str, now: datetime) -> tuple[Value, ...]:
    """Return what `_COUNT` and `_BEGAN` are bound to."""
    return (
        tx.actor.organization_id,
        agent_id,
        tx.actor.key_id,
        to_micros(start_of("day", now)),
        to_micros(start_of("month", now)),
    )
