"""Envelopes made at this moment, by the names that servers of this API shared (agent S41 to S48).

`eunoe.http.seed` is where to import these functions from.
"""

from typing import Final

import structlog

from eunoe.domain.envelopes import (
    alert_envelope,
    heartbeat_envelope,
    login_envelope,
    result_envelope,
    user_envelope,
)
from eunoe.domain.messages import Json
from eunoe.domain.times import stamp
from eunoe.domain.wellformed import json_object
from eunoe.wire.content import opened
from eunoe.wire.seed_records import now

_LOCATION: Final = "unknown"

_log = structlog.get_logger("eunoe.seed")


def package_function_response(
    was_success: bool, response_string: str | Json | None, timezone: str | None
) -> str:
    """Return what a tool gave in its envelope, with the time in the zone (S48)."""
    time = stamp(now(), timezone=timezone)
    return result_envelope(response_string, ok=bool(was_success), time=time)


def package_user_message(
    user_message: str,
    timezone: str | None,
    include_location: bool = False,
    location_name: str | None = _LOCATION,
    name: str | None = None,
) -> str:
    """Return what a user said in its envelope (S43)."""
    place = location_name if include_location else None
    return user_envelope(user_message, at=now(), timezone=timezone, name=name, location=place)


def package_system_message(
    system_message: str, timezone: str | None, message_type: str | None = None
) -> str:
    """Return a notice in its envelope; one that is in it already stays as it is (S44)."""
    kind = message_type or "system_alert"
    if json_object(system_message).get("type") == kind:
        _log.warning("message.packed_already", type=kind)
        return system_message
    return alert_envelope(system_message, at=now(), timezone=timezone, kind=kind)


def get_heartbeat(
    timezone: str | None,
    reason: str,
    include_location: bool = False,
    location_name: str | None = _LOCATION,
) -> str:
    """Return what makes an agent go on, the reason as it is given (S41)."""
    place = location_name if include_location else None
    return heartbeat_envelope(reason, at=now(), timezone=timezone, marked=False, location=place)


def get_login_event(
    timezone: str | None,
    last_login: str | None = None,
    include_location: bool = False,
    location_name: str | None = _LOCATION,
) -> str:
    """Return the notice that a user is back; without a last time it says never (S45)."""
    place = location_name if include_location else None
    if last_login is None:
        return login_envelope(at=now(), timezone=timezone, location=place)
    return login_envelope(at=now(), timezone=timezone, last_login=last_login, location=place)


def unpack_message(packed_message: str) -> str:
    """Return what a user's envelope holds, any other text unchanged (S46)."""
    return opened(packed_message)
