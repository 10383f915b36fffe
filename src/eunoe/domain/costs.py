"""Money, in whole billionths of a dollar, so that sums are exact: prices, costs and budgets.

A budget bounds what is spent in a period: by an organization, by one agent or with one key.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, assert_never

from eunoe.domain.runs import Usage

Period: TypeAlias = Literal["day", "month", "total"]
NANOS: Final = 1_000_000_000
"""In a dollar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Of calls with a prompt of more than `above` tokens, in millionths of USD per million tokens.

    So a token costs so many thousandths of a billionth.
    """

    above: int = -1
    input: int
    cached_input: int
    cache_write: int
    output: int


Price: TypeAlias = tuple[Rates, ...]
"""The rates of a model, those of the longest prompts first."""

FREE: Final[Price] = (Rates(input=0, cached_input=0, cache_write=0, output=0),)


def cost_nanos(usage: Usage | None, price: Price | None) -> int | None:
    """Return what a call cost, null where its price is not known, or not what it used."""
    if price is None or (usage is None and price != FREE):
        return None
    used = usage or Usage()
    rates = next(one for one in price if used.prompt_tokens > one.above)
    cached, written = used.cached_input_tokens or 0, used.cache_write_tokens or 0
    thousandths = (
        max(used.prompt_tokens - cached - written, 0) * rates.input
        + cached * rates.cached_input
        + written * rates.cache_write
        + used.completion_tokens * rates.output
    )
    return (thousandths + 500) // 1000


def usd(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / NANOS


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What steps cost together; `unpriced_steps` of them are not in it, for nobody knows."""

    group: str | None
    steps: int
    unpriced_steps: int
    cost_nanos: int | None


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
            return datetime(1970, 1, 1, tzinfo=UTC)
        case _:
            assert_never(period)
