"""Sums over what steps cost, as it was when each was made."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from eunoe.domain.costs import Spent
from eunoe.store.db import Tx, to_micros
from eunoe.store.where import of_organization

Grouping: TypeAlias = Literal["agent", "model", "key", "day"]

_DAY: Final = timedelta(days=1) // timedelta(microseconds=1)
_GROUPS: Final[dict[Grouping | None, str]] = {
    None: "NULL",
    "agent": "agent_id",
    "model": "model",
    "key": "key_id",
    "day": f"created_at / {_DAY}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFilter:
    """`since` is within, `until` is not; a time without a zone is UTC."""

    agent_id: str | None = None
    key_id: str | None = None
    run_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def sums(
    tx: Tx, asked: CostFilter, *, by: Grouping | None = None, limit: int = 1
) -> list[Spent]:
    """Return what the steps asked for cost together or by group: the dearest, or the last days."""
    where = of_organization(tx, "steps").linked("steps.agent_id = {}", asked.agent_id)
    where.linked("steps.run_id = {}", asked.run_id).equal(key_id=asked.key_id)
    if asked.since is not None:
        where.add("steps.created_at >= {}", _micros(asked.since))
    if asked.until is not None:
        where.add("steps.created_at < {}", _micros(asked.until))
    order = "it DESC" if by == "day" else "COALESCE(sum, 0) DESC, it"
    rows = await tx.fetch(
        "SELECT it, number, priced, sum FROM (SELECT it, COUNT(*) AS number,"
        " COUNT(cost_nanos) AS priced, CAST(SUM(cost_nanos) AS BIGINT) AS sum"
        f" FROM (SELECT {_GROUPS[by]} AS it, cost_nanos FROM steps WHERE {where.sql}) AS each_step"
        f" GROUP BY it) AS groups ORDER BY {order} LIMIT {where.bound(limit)}",
        *where.args,
    )
    return [
        Spent(
            group=_day(row[0]) if by == "day" else row[0],
            steps=row[1],
            unpriced_steps=row[1] - row[2],
            cost_nanos=row[3],
        )
        for row in rows
    ]


def _micros(at: datetime) -> int:
    return to_micros(at.replace(tzinfo=UTC) if at.tzinfo is None else at)


def _day(number: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat()
