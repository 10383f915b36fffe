"""What was spent, and how much may be: additions to the Letta V1 API."""

from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from fastapi import Depends, Path, Query
from starlette.responses import Response

from eunoe.domain.costs import Period
from eunoe.http.deps import Me, given
from eunoe.http.pages import page_of
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.ids import pattern
from eunoe.service import budgets
from eunoe.store import budgets as stored
from eunoe.store import costs
from eunoe.store.costs import CostFilter, Grouping
from eunoe.store.paging import Page
from eunoe.wire.costs import Budget, BudgetBody, Cost, shown, shown_cost

router = v1("/costs", tag="costs")
of_budgets = v1("/budgets", tag="costs")

Subject: TypeAlias = Annotated[
    str,
    Path(
        pattern=f"^({budgets.ORGANIZATION}|{pattern('agent')[1:-1]}|{pattern('key')[1:-1]})$",
        description="`organization`, or the id of an agent or a key.",
    ),
]


@router.get("", **answers("list_costs", list[Cost]))
@router.get("/", include_in_schema=False)
async def list_costs(
    me: Me,
    asked: Annotated[CostFilter, Depends(given(CostFilter))],
    by: Grouping | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Sum up what steps cost: together, or by agent, model, key or day of UTC."""
    async with me.read(long=True) as tx:
        found = await costs.sums(tx, asked, by=by, limit=limit)
    return JsonReply([shown_cost(one) for one in found])


@of_budgets.get("", **answers("list_budgets", list[Budget]))
@of_budgets.get("/", include_in_schema=False)
async def list_budgets(
    me: Me, page: Annotated[Page, Depends(page_of(limit=50, order="desc"))]
) -> Response:
    """List the budgets of the organization, with what is spent of each, the newest first."""
    now = datetime.now(UTC)
    async with me.read() as tx:
        found = await stored.list_budgets(tx, page)
    return JsonReply([shown(one.at(now)) for one in found])


@of_budgets.put("/{subject}/{period}", **answers("set_budget", Budget))
async def put(subject: Subject, period: Period, body: BudgetBody, me: Me) -> Response:
    """Bound what is spent in each day or month of UTC, or in total; the old bound goes."""
    made = await budgets.put(me.db, me.actor, subject, period, limit_nanos=body.limit_nanos())
    return JsonReply(shown(made.at(datetime.now(UTC))))


@of_budgets.delete("/{subject}/{period}", operation_id="delete_budget", status_code=204)
async def delete(subject: Subject, period: Period, me: Me) -> Response:
    """Remove a budget."""
    await budgets.delete(me.db, me.actor, subject, period)
    return Response(status_code=204)
