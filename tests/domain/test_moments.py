"""Times as callers write them."""

from datetime import UTC, datetime, timedelta

import pytest

from eunoe.domain.moments import ago, local, moment
from eunoe.errors import Invalid


@pytest.mark.rule("M24")
@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-07-01T12:00:00", "2024-07-01T10:00:00+00:00"),
        ("2024-07-01T12:00:00Z", "2024-07-01T12:00:00+00:00"),
        ("2024-07-01T12:00:00-05:00", "2024-07-01T17:00:00+00:00"),
        ("2024-01-01 12:00", "2024-01-01T11:00:00+00:00"),
        (" 2024-07-01 ", "2024-06-30T22:00:00+00:00"),
    ],
)
def test_a_time_without_an_offset_is_the_agents(text: str, utc: str) -> None:
    found = moment(text, parameter="start_date", timezone="Europe/Rome")
    assert found.isoformat() == utc


@pytest.mark.rule("FIX-40")
def test_a_date_as_an_end_is_that_whole_day() -> None:
    end = moment("2024-07-01", parameter="end_date", timezone="Europe/Rome", end=True)
    assert end.isoformat() == "2024-07-01T21:59:59.999999+00:00"
    exact = moment("2024-07-01T00:00", parameter="end_date", timezone="UTC", end=True)
    assert exact == datetime(2024, 7, 1, tzinfo=UTC)


@pytest.mark.rule("M24")
@pytest.mark.parametrize(
    "text", ["yesterday", "2024-13-01", "01/02/2024", "", "0001-01-01T00:00+14"]
)
def test_what_is_no_date_names_the_parameter(text: str) -> None:
    with pytest.raises(Invalid, match=r"`start_date`.*ISO 8601"):
        moment(text, parameter="start_date", timezone="Asia/Tokyo")


@pytest.mark.rule("M23")
def test_a_time_is_shown_in_the_agents_zone() -> None:
    at = datetime(2024, 7, 1, 10, 0, 0, 5, tzinfo=UTC)
    assert local(at, timezone="Europe/Rome") == "2024-07-01T12:00:00+02:00"
    assert local(at, timezone="No/Where") == "2024-07-01T10:00:00+00:00"
    first = datetime.min.replace(tzinfo=UTC)
    assert local(first, timezone="America/Lima") == "0001-01-01T00:00:00+00:00"


@pytest.mark.rule("M27")
@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s ago"), (59, "59s ago"), (60, "1m ago"), (7_200, "2h ago"), (200_000, "2d ago")],
)
def test_how_long_ago(seconds: int, text: str) -> None:
    now = datetime(2024, 7, 1, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now=now) == text
