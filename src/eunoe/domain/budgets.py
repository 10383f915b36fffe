"""A budget bounds what is spent in a period: by an organization, by one agent or with one key."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias, assert_never

Period: TypeAlias = Literal["day", "month", "total"]
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`spent_nanos` is what was spent in the period that began at `since`, in UTC.

    `subject_id` is the id of the organization, agent or key.
    """

    id: str
    subject_id: str
    period: Period
    limit_nanos: int
    spent_nanos: int
    since: datetime
    created_at: datetime

    def at(self, now: datetime) -> "Budget":
        """Return it as it stands now: a period that has begun since has seen nothing yet."""
        began = start_of(self.period, now)
        return self if began <= self.since else replace(self, since=began, spent_nanos=0)


def start_of(period: Period, now: datetime) -> datetime:
    """Return when the period of `now` began."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return day
        case "month":
            return day.replace(day=1)
        case "total":
            return _EVER
        case _:
            assert_never(period)
