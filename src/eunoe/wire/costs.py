"""Costs and budgets on the wire, in US dollars: resources of this server's own."""

from typing import Annotated

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from eunoe.domain import costs
from eunoe.domain.costs import NANOS, Period, Spent, usd
from eunoe.wire.shape import Shape
from eunoe.wire.times import entity_time


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


class BudgetBody(Shape):
    model_config = ConfigDict(extra="forbid")

    limit_usd: Annotated[float, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]

    def limit_nanos(self) -> int:
        return round(self.limit_usd * NANOS)


def shown_cost(spent: Spent) -> Cost:
    return {
        "group": spent.group,
        "steps": spent.steps,
        "unpriced_steps": spent.unpriced_steps,
        "cost_usd": usd(spent.cost_nanos),
    }


def shown(budget: costs.Budget) -> Budget:
    return {
        "id": budget.id,
        "subject_id": budget.subject_id,
        "period": budget.period,
        "limit_usd": budget.limit_nanos / NANOS,
        "spent_usd": budget.spent_nanos / NANOS,
        "since": entity_time(budget.since),
        "created_at": entity_time(budget.created_at),
    }
