"""The JSON envelopes in which an agent's opening messages are kept (api 9.14, agent S43, S44)."""

import json
from datetime import datetime
from typing import Final

from eunoe.domain.times import stamp

_AUTOMATIC: Final = "[A notice of the system, which the user does not see]"


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


def heartbeat_envelope(reason: str, *, at: datetime, timezone: str) -> str:
    """Return what makes an agent go on, wrapped and marked as said by no person (S41, S42)."""
    body = {
        "type": "heartbeat",
        "reason": f"{_AUTOMATIC} {reason}",
        "time": stamp(at, timezone=timezone),
    }
    return json.dumps(body, indent=2, ensure_ascii=False)
