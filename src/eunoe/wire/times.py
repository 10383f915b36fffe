"""How times look on the wire: entities to the microsecond with `Z`, messages to the second."""

from datetime import datetime


def entity_time(at: datetime) -> str:
    """Return `at`, which is UTC, as entities show it (api 4.1): `2026-01-02T03:04:05.000006Z`."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def optional_entity_time(at: datetime | None) -> str | None:
    return None if at is None else entity_time(at)


def message_date(at: datetime) -> str:
    """Return `at`, which is UTC, as messages show it (api 4.2): `2026-01-02T03:04:05+00:00`."""
    return at.isoformat(timespec="seconds")
