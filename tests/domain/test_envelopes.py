"""The JSON in which is kept what a model reads and nobody said."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from eunoe.domain.envelopes import alert_envelope, heartbeat_envelope, login_envelope, user_envelope

AT = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)
WHERE: dict[str, Any] = {"at": AT, "timezone": "Europe/Rome"}
TIME = "2026-01-02 04:04:05 PM CET+0100"


@pytest.mark.rule("S43")
def test_a_user_is_wrapped_with_place_and_name_where_they_are_given() -> None:
    text = user_envelope("Grüß dich", **WHERE)
    assert (
        text == f'{{\n  "type": "user_message",\n  "message": "Grüß dich",\n  "time": "{TIME}"\n}}'
    )
    full = json.loads(user_envelope("Hi", **WHERE, name="Ada", location="Rome"))
    assert list(full) == ["type", "message", "time", "location", "name"]


@pytest.mark.rule("S44")
def test_a_notice_is_wrapped_once_and_on_one_line() -> None:
    text = alert_envelope("Low disk", **WHERE)
    assert text == f'{{"type": "system_alert", "message": "Low disk", "time": "{TIME}"}}'
    assert alert_envelope(text, **WHERE) == text
    assert json.loads(alert_envelope(text, **WHERE, kind="other"))["message"] == text
    for odd in ('{"type": 1}', "{not json", "[1]"):
        assert json.loads(alert_envelope(odd, **WHERE))["message"] == odd


@pytest.mark.rule("S45")
def test_a_login_says_when_the_last_one_was() -> None:
    assert list(json.loads(login_envelope(**WHERE)).items())[::2] == [
        ("type", "login"),
        ("time", TIME),
    ]
    assert json.loads(login_envelope(**WHERE, last_login="today"))["last_login"] == "today"


@pytest.mark.rule("S41", "S42")
@pytest.mark.parametrize(("ok", "word"), [(True, "done"), (False, "failed"), (None, "failed")])
def test_a_heartbeat_has_the_given_reason_or_says_how_it_went(ok: bool | None, word: str) -> None:
    for none in (None, ""):
        beat = json.loads(heartbeat_envelope(none, **WHERE, ok=ok))
        assert list(beat) == ["type", "reason", "time"]
        assert word in beat["reason"]
    given = json.loads(heartbeat_envelope("Because.", **WHERE, ok=ok))["reason"]
    assert given.endswith("] Because.")
    assert given.split("]")[0] == beat["reason"].split("]")[0]
