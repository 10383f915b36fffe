"""How times look on the wire: entities to the microsecond with `Z`, messages to the second."""

from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import AfterValidator


def entity_time(at: datetime) -> str:
    """Return `at`, which is UTC, as entities show it (api 4.1): `2026-01-02T03:04:05.000006Z`."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def in_utc(at: datetime) -> datetime:
    """Return `at` in UTC; without an offset it is read as UTC (4.1). Raises `ValueError`."""
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is not in the calendar of UTC") from None


Moment: TypeAlias = Annotated[datetime, AfterValidator(in_utc)]
"""A time as a caller sends it."""


def optional_entity_time(at: datetime | None) -> str | None:
    return None if at is None else entity_time(at)


def message_date(at: datetime) -> str:
    """Return `at`, which is UTC, as messages show it (api 4.2): `2026-01-02T03:04:05+00:00`."""
    return at.isoformat(timespec="seconds")
