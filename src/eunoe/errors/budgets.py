"""Money."""

from eunoe.errors.kinds import Conflict


class BudgetSpent(Conflict):
    """A budget is spent; raise it, or wait for its next period."""

    code = "budget_spent"
