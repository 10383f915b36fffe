"""Messages that are sent to an agent at a time, once or again and again (api 25.1)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, assert_never
from zoneinfo import ZoneInfo

from croniter import croniter

from eunoe.domain.inputs import Ask
from eunoe.domain.times import known_zone
from eunoe.errors import CronInvalid, TimePassed, TimeZoneUnknown

MOST: Final = 1_000
"""How many schedules an agent may have that are not over."""
KEPT: Final = timedelta(days=30)
"""How long one that is over can still be read."""
_FIELDS: Final = 5
# No other letters: some have croniter draw lots for the time.
_FIELD: Final = re.compile(
    r"(?:[-0-9*,/#]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat|l)+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """`cron` has five fields, read in the IANA zone called `timezone`."""

    cron: str
    timezone: str = "UTC"


When: TypeAlias = Once | Recurring


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`next_at` is when it is due, null once it is over; `last_at` when it was carried out last."""

    id: str
    agent_id: str
    when: When
    ask: Ask
    next_at: datetime | None
    last_at: datetime | None = None
    last_run_id: str | None = None
    created_at: datetime


def first_time(when: When, *, now: datetime) -> datetime:
    """Return when a new schedule is first due.

    Raises `TimePassed`, `CronInvalid` or `TimeZoneUnknown`.
    """
    match when:
        case Once(at=at):
            if at <= now:
                raise TimePassed
            return at
        case Recurring():
            _check(when)
            found = next_time(when, after=now)
            if found is None:
                raise CronInvalid(f"`{when.cron}` names no day that there ever is.")
            return found
        case _:
            assert_never(when)


def next_time(when: When, *, after: datetime) -> datetime | None:
    """Return the first time past `after`, null where there is none.

    However many times have passed by then, they are made good by one (a server that was down
    does not send a week of greetings). A time that the clock skips in spring is taken when it
    goes on; one that it repeats in autumn counts once, unless every hour is meant.
    """
    if isinstance(when, Once):
        return None
    zone = ZoneInfo(when.timezone)
    hourly = when.cron.split()[1].startswith("*")
    times = croniter(when.cron, after.astimezone(zone))
    try:
        while True:
            found = times.get_next(datetime)
            if (hourly or not _is_repeat(found)) and found > after:
                return found.astimezone(UTC)
    except ValueError:
        return None


def _is_repeat(at: datetime) -> bool:
    """Whether the wall clock shows `at` for the second time."""
    return at.utcoffset() != at.replace(fold=0).utcoffset()


def _check(when: Recurring) -> None:
    if known_zone(when.timezone) is None:
        raise TimeZoneUnknown(f"`{when.timezone[:80]}` is not an IANA time zone.")
    fields = when.cron.split()
    plain = len(fields) == _FIELDS and all(map(_FIELD.fullmatch, fields))
    if not plain or not croniter.is_valid(when.cron):
        raise CronInvalid(
            f"`{when.cron[:80]}` is not a cron expression; write minute, hour, day of the month, "
            "month and day of the week, such as `0 9 * * 1-5`."
        )
