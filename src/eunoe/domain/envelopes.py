"""The JSON envelopes in which is kept what a model reads and nobody said (api 9.14, S41 to S45)."""

import json
from datetime import datetime
from typing import Final, cast

from eunoe.domain.messages import Json
from eunoe.domain.times import stamp

_AUTOMATIC: Final = "[A notice of the system, which the user does not see]"
_NEVER: Final = "Never (this is the first time)"
_WOKEN: Final = {
    True: "The call is done, and you are woken as you asked.",
    False: "The call failed, and you are woken so that you can put it right.",
}


def user_envelope(
    text: str, *, at: datetime, timezone: str, name: str | None = None, location: str | None = None
) -> str:
    """Return what a user said, wrapped; lists show the inner message (S43)."""
    body: dict[str, str] = {
        "type": "user_message",
        "message": text,
        "time": stamp(at, timezone=timezone),
    }
    if location is not None:
        body["location"] = location
    if name is not None:
        body["name"] = name
    return json.dumps(body, indent=2, ensure_ascii=False)


def alert_envelope(text: str, *, at: datetime, timezone: str, kind: str = "system_alert") -> str:
    """Return a notice of the system, wrapped once; lists show it as it is (S44)."""
    if _kind(text) == kind:
        return text
    body = {"type": kind, "message": text, "time": stamp(at, timezone=timezone)}
    return json.dumps(body, ensure_ascii=False)


def _kind(text: str) -> str | None:
    """Return the type of an envelope, null for a text that is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        envelope: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = cast("Json", envelope).get("type") if isinstance(envelope, dict) else None
    return kind if isinstance(kind, str) else None


def login_envelope(*, at: datetime, timezone: str, last_login: str = _NEVER) -> str:
    """Return the notice that the user is there (S45)."""
    body = {"type": "login", "last_login": last_login, "time": stamp(at, timezone=timezone)}
    return json.dumps(body, indent=2, ensure_ascii=False)


def heartbeat_envelope(
    reason: str | None, *, at: datetime, timezone: str, ok: bool | None = True
) -> str:
    """Return what makes an agent go on, wrapped and marked as said by no person (S41, S42).

    Without a reason it says whether what the agent did went well; null counts as it did not.
    """
    body = {
        "type": "heartbeat",
        "reason": f"{_AUTOMATIC} {reason or _WOKEN[bool(ok)]}",
        "time": stamp(at, timezone=timezone),
    }
    return json.dumps(body, indent=2, ensure_ascii=False)


def is_heartbeat(text: str) -> bool:
    """Whether `text` is nothing but the envelope of a heartbeat."""
    if not text.startswith("{"):
        return False
    try:
        body: object = json.loads(text)
    except ValueError:
        return False
    return isinstance(body, dict) and cast("dict[str, object]", body).get("type") == "heartbeat"
