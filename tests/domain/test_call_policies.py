"""Which policy decides a call, and what becomes of a request that nobody answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.call_policies import CallPolicy, deadline, deciding, foreseen
from eunoe.domain.messages import Decision, ToolCall

pytestmark = pytest.mark.rule("H1")

NOW = datetime(2024, 7, 1, tzinfo=UTC)
OURS = CallPolicy(effect="allow", tool="send_*", arguments={"/to": "*@ours.org"})
LATER = CallPolicy(effect="ask", tool="send_*", expires_after_s=60)
NEVER = CallPolicy(effect="deny", tool="wipe")
POLICIES = (OURS, LATER, NEVER)


@pytest.mark.parametrize(
    ("name", "arguments", "policy"),
    [
        ("send_mail", {"to": "ada@ours.org"}, OURS),
        ("send_mail", {"to": "ada@theirs.org"}, LATER),
        ("send_mail", {"to": ["ada@ours.org"]}, LATER),
        ("send_mail", {"to": None}, LATER),
        ("send_mail", {}, LATER),
        ("send_mail", None, LATER),
        ("wipe", {}, NEVER),
        ("Wipe", {}, None),
        ("look", {"to": "ada@ours.org"}, None),
    ],
)
def test_the_first_policy_that_fits_decides(name: str, arguments: Any, policy: CallPolicy) -> None:
    assert deciding(POLICIES, name, arguments) is policy


@pytest.mark.parametrize(
    ("pointer", "pattern"),
    [
        ("/a/0/b", "x"),
        ("/a/1", "2"),
        ("/c~1d~0e", "true"),
        ("/n", "null"),
        ("/o", '{"k": 1}'),
        ("", '*"c/d~e": true*'),
        ("/l", "a\nb*"),
    ],
)
def test_a_pointer_leads_to_a_value_of_any_kind(pointer: str, pattern: str) -> None:
    arguments = {"a": [{"b": "x"}, 2], "c/d~e": True, "n": None, "o": {"k": 1}, "l": "a\nbc"}
    policy = CallPolicy(effect="deny", arguments={pointer: pattern})
    assert deciding([policy], "any", arguments) is policy
    other = CallPolicy(effect="deny", arguments={f"{pointer}/9": "*"})
    assert deciding([other], "any", arguments) is None


@given(st.lists(st.sampled_from(POLICIES)), st.sampled_from(["send_mail", "wipe", "look"]))
def test_what_is_foreseen_of_a_tool_holds_whatever_its_arguments(
    policies: list[CallPolicy], name: str
) -> None:
    expected = foreseen(policies, name)
    for arguments in ({"to": "ada@ours.org"}, {"to": "b@c"}, None):
        assert expected == "unsure" or deciding(policies, name, arguments) is expected


def _call(number: int, *, by_client: bool = False) -> ToolCall:
    return ToolCall(id=f"call_{number}", name="send_mail", arguments="{}", by_client=by_client)


def test_a_request_is_decided_when_the_last_of_its_calls_is() -> None:
    yes = CallPolicy(effect="ask", expires_after_s=5, then="approve")
    decided = deadline(
        [(_call(1), yes), (_call(2), LATER), (_call(3, by_client=True), yes)], now=NOW
    )
    assert decided is not None
    assert decided.at == NOW + timedelta(seconds=60)
    assert decided.answers == (
        Decision(call_id="call_1", approve=True),
        Decision(call_id="call_2", approve=False, reason="Nobody answered within 60 seconds."),
        Decision(call_id="call_3", approve=False, reason="Nobody answered within 5 seconds."),
    )


def test_a_call_that_waits_for_ever_keeps_its_request_waiting() -> None:
    assert deadline([(_call(1), LATER), (_call(2), None)], now=NOW) is None
    assert deadline([(_call(1), CallPolicy(effect="ask"))], now=NOW) is None
