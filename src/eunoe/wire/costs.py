"""Costs and budgets on the wire, in US dollars: resources of this server's own."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from eunoe.domain import costs
from eunoe.domain.costs import NANOS, Period, Spent, usd
from eunoe.wire.shape import Strict, shown_as


class Cost(TypedDict):
    """`cost_usd` is of the steps whose price is known; null where that is none."""

    group: str | None
    steps: int
    unpriced_steps: int
    cost_usd: float | None


class Budget(TypedDict):
    id: str
    subject_id: str
    period: Period
    limit_usd: float
    spent_usd: float
    since: str
    created_at: str


class BudgetBody(Strict):
    limit_usd: Annotated[float, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]

    def limit_nanos(self) -> int:
        return round(self.limit_usd * NANOS)


def shown_cost(spent: Spent) -> Cost:
    return shown_as(Cost, spent, cost_usd=usd(spent.cost_nanos))


def shown(budget: costs.Budget) -> Budget:
    limit, spent = budget.limit_nanos / NANOS, budget.spent_nanos / NANOS
    return shown_as(Budget, budget, limit_usd=limit, spent_usd=spent)
