"""When a schedule is due: cron expressions, time zones, the changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.schedules import Once, Recurring, first_time, next_time
from eunoe.errors import CronInvalid, EunoeError, TimePassed, TimeZoneUnknown

pytestmark = pytest.mark.rule("api-25.1")

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NEW_YORK = "America/New_York"


def times(cron: str, zone: str, *, after: datetime, count: int) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        then = next_time(Recurring(cron=cron, timezone=zone), after=after)
        assert then is not None
        found.append(then.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes"))
        after = then
    return found


@pytest.mark.parametrize(
    ("when", "error"),
    [
        (Once(at=NOON), TimePassed),
        (Once(at=NOON - timedelta(days=1)), TimePassed),
        (Recurring(cron=""), CronInvalid),
        (Recurring(cron="* * * *"), CronInvalid),
        (Recurring(cron="* * * * * *"), CronInvalid),
        (Recurring(cron="61 * * * *"), CronInvalid),
        (Recurring(cron="R * * * *"), CronInvalid),
        (Recurring(cron="@daily"), CronInvalid),
        (Recurring(cron="0 0 30 2 *"), CronInvalid),
        (Recurring(cron="0 9 * * *", timezone="Europe/Atlantis"), TimeZoneUnknown),
        (Recurring(cron="0 9 * * *", timezone="../etc/passwd"), TimeZoneUnknown),
        (Recurring(cron="0 9 * * *", timezone=""), TimeZoneUnknown),
    ],
)
def test_what_is_refused(when: Once | Recurring, error: type[EunoeError]) -> None:
    with pytest.raises(error):
        first_time(when, now=NOON)


def test_a_time_that_is_to_come_is_taken() -> None:
    later = NOON + timedelta(seconds=1)
    assert first_time(Once(at=later), now=NOON) == later
    assert next_time(Once(at=later), after=later) is None


def test_a_zone_decides_what_the_hours_mean() -> None:
    rome = Recurring(cron="0 9 * * mon-fri", timezone="Europe/Rome")
    assert first_time(rome, now=NOON) == datetime(2026, 6, 2, 7, 0, tzinfo=UTC)


def test_the_hour_that_comes_twice_counts_once() -> None:
    before = datetime(2026, 10, 31, 12, tzinfo=UTC)
    assert times("30 1 * * *", NEW_YORK, after=before, count=2) == [
        "2026-11-01T01:30-04:00",
        "2026-11-02T01:30-05:00",
    ]


def test_every_half_hour_goes_on_through_the_hour_that_comes_twice() -> None:
    before = datetime(2026, 11, 1, 5, 15, tzinfo=UTC)
    assert times("*/30 * * * *", NEW_YORK, after=before, count=4) == [
        "2026-11-01T01:30-04:00",
        "2026-11-01T01:00-05:00",
        "2026-11-01T01:30-05:00",
        "2026-11-01T02:00-05:00",
    ]


def test_a_time_that_the_clock_skips_is_made_good_when_it_goes_on() -> None:
    before = datetime(2026, 3, 7, 12, tzinfo=UTC)
    assert times("30 2 * * *", NEW_YORK, after=before, count=2) == [
        "2026-03-08T03:00-04:00",
        "2026-03-09T02:30-04:00",
    ]


MINUTES = st.integers(0, 59)


@given(
    after=st.integers(0, 6 * 365 * 86_400).map(lambda s: NOON + timedelta(seconds=s)),
    zone=st.sampled_from(["UTC", NEW_YORK, "Europe/Rome", "Australia/Lord_Howe", "Asia/Kolkata"]),
    minute=st.one_of(MINUTES.map(str), st.just("*"), st.just("*/7")),
    hour=st.one_of(st.integers(0, 23).map(str), st.just("*")),
)
def test_the_next_time_is_to_come_and_within_two_days(
    after: datetime, zone: str, minute: str, hour: str
) -> None:
    then = next_time(Recurring(cron=f"{minute} {hour} * * *", timezone=zone), after=after)
    assert then is not None
    assert after < then <= after + timedelta(hours=49)
    assert then.tzinfo is UTC
    again = next_time(Recurring(cron=f"{minute} {hour} * * *", timezone=zone), after=then)
    assert again is not None
    assert again > then
