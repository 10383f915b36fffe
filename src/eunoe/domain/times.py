"""Times as a model reads them."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def known_zone(name: str) -> ZoneInfo | None:
    """Return the IANA zone called `name`, null for a name that does not exist."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """Return the IANA zone called `name`, UTC for a name that does not exist."""
    return known_zone(name) or UTC


def stamp(at: datetime, *, timezone: str | None) -> str:
    """Return `at` as `YYYY-MM-DD hh:mm:ss AM/PM TZ+offset` in the zone called `timezone`.

    Null stands for the zone of the machine that the server runs on.
    """
    return at.astimezone(None if timezone is None else zone(timezone)).strftime(
        "%Y-%m-%d %I:%M:%S %p %Z%z"
    )
