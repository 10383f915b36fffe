"""The JSON envelopes in which is kept what a model reads and nobody said (api 9.14, S41 to S45)."""

import json
from datetime import datetime
from typing import Final

from eunoe.domain.times import stamp

_AUTOMATIC: Final = "[A notice of the system, which the user does not see]"
_NEVER: Final = "Never (this is the first time)"
_WOKEN: Final = {
    True: "The call is done, and you are woken as you asked.",
    False: "The call failed, and you are woken so that you can put it right.",
}


def user_envelope(text: str, *, at: datetime, timezone: str, name: str | None = None) -> str:
    """Return what a user said, wrapped; lists show the inner message."""
    body: dict[str, str] = {
        "type": "user_message",
        "message": text,
        "time": stamp(at, timezone=timezone),
    }
    if name is not None:
        body["name"] = name
    return json.dumps(body, indent=2, ensure_ascii=False)


def alert_envelope(text: str, *, at: datetime, timezone: str) -> str:
    """Return a notice of the system, wrapped; lists show it as it is."""
    body = {"type": "system_alert", "message": text, "time": stamp(at, timezone=timezone)}
    return json.dumps(body, ensure_ascii=False)


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
