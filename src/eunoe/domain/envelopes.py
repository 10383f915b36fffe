"""The JSON envelopes in which is kept what a model reads and nobody said (api 9.14, S40 to S48)."""

import json
from datetime import datetime
from typing import Final

from eunoe.domain.times import stamp
from eunoe.domain.wellformed import json_object, storable, with_strings

_AUTOMATIC: Final = "[A notice of the system, which the user does not see]"
_NEVER: Final = "Never (this is the first time)"
CALL_SUCCEEDED: Final = f"{_AUTOMATIC} The call is done, and you are woken as you asked."
CALL_FAILED: Final = (
    f"{_AUTOMATIC} The call failed, and you are woken so that you can put it right."
)


def user_envelope(
    text: str,
    *,
    at: datetime,
    timezone: str | None,
    name: str | None = None,
    location: str | None = None,
) -> str:
    """Return what a user said, wrapped; lists show the inner message (S43)."""
    body = {"type": "user_message", "message": text, "time": stamp(at, timezone=timezone)}
    return _indented({**body, **_given(location=location, name=name)})


def alert_envelope(
    text: str, *, at: datetime, timezone: str | None, kind: str = "system_alert"
) -> str:
    """Return a notice of the system, wrapped once; lists show it as it is (S44)."""
    if _kind(text) == kind:
        return text
    body = {"type": kind, "message": text, "time": stamp(at, timezone=timezone)}
    return json.dumps(body, ensure_ascii=False)


def login_envelope(
    *, at: datetime, timezone: str | None, last_login: str = _NEVER, location: str | None = None
) -> str:
    """Return the notice that the user is there (S45)."""
    body = {"type": "login", "last_login": last_login, "time": stamp(at, timezone=timezone)}
    return _indented({**body, **_given(location=location)})


def heartbeat_envelope(
    reason: str | None,
    *,
    at: datetime,
    timezone: str | None,
    ok: bool | None = True,
    marked: bool = True,
    location: str | None = None,
) -> str:
    """Return what makes an agent go on, wrapped and marked as said by no person (S41, S42).

    Without a reason it says whether what the agent did went well; null counts as it did not.
    A reason that is not to be `marked` is taken as it is.
    """
    if reason:
        told = f"{_AUTOMATIC} {reason}" if marked else reason
    else:
        told = CALL_SUCCEEDED if ok else CALL_FAILED
    body = {"type": "heartbeat", "reason": told, "time": stamp(at, timezone=timezone)}
    return _indented({**body, **_given(location=location)})


def result_envelope(output: object, *, ok: bool, time: str) -> str:
    """Return what a tool gave, text or JSON, as the model reads it (S48)."""
    body = {
        "status": "OK" if ok else "Failed",
        "message": with_strings(output, storable),
        "time": time,
    }
    return _indented(body)


def is_heartbeat(text: str) -> bool:
    """Whether `text` is nothing but the envelope of a heartbeat."""
    return _kind(text) == "heartbeat"


def _kind(text: str) -> str | None:
    """Return the type of an envelope, null for a text that is none."""
    kind = json_object(text).get("type")
    return kind if isinstance(kind, str) else None


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _indented(body: object) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)
