"""Points in time as a caller writes them, and how long ago they were."""

from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Final

from eunoe.domain.times import zone
from eunoe.errors import Invalid

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def moment(text: str, *, parameter: str, timezone: str, end: bool = False) -> datetime:
    """Return the ISO 8601 `text` as a time in UTC; raise `Invalid` naming `parameter` (M24).

    Without an offset it is in the zone called `timezone`. A date alone is the start of
    that day or, where it is an `end`, the last microsecond of it (FIX-40).
    """
    clean = text.strip()
    try:
        at = _whole_day(clean, end=end) or datetime.fromisoformat(clean)
        if at.tzinfo is None:
            at = at.replace(tzinfo=zone(timezone))
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"`{parameter}` is not a date that can be read: use ISO 8601, "
            "such as 2024-01-31 or 2024-01-31T14:30:00.",
            parameter=parameter,
        ) from error


def _whole_day(text: str, *, end: bool) -> datetime | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime.combine(day, time.max if end else time.min)


def local(at: datetime, *, timezone: str) -> str:
    """Return `at` as ISO 8601 in the zone called `timezone`, to the second (M23).

    At the ends of the calendar, where the zone has no such time, it stays as it is.
    """
    with suppress(OverflowError):
        at = at.astimezone(zone(timezone))
    return at.isoformat(timespec="seconds")


def ago(at: datetime, *, now: datetime) -> str:
    """Return how long before `now` that was, in the largest whole unit (M27)."""
    seconds = max(0, int((now - at).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"
