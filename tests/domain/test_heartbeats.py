"""When an agent of the heartbeat loop goes on, and what its model is offered and shown."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.heartbeats import (
    Aftermath,
    Situation,
    aftermath,
    as_written,
    formed,
    kept_arguments,
    with_heartbeat,
)
from eunoe.domain.messages import Json, ToolCall, ToolReturn
from eunoe.domain.runs import StopReason
from eunoe.domain.tool_rules import DENIED, REFUSED, rules_of
from eunoe.domain.tools import ToolSchema

TOOL = ToolSchema(
    name="send_message",
    description="Speak.",
    parameters={
        "type": "object",
        "properties": {"message": {"type": "string"}, "to": {"type": "string"}},
        "required": ["message"],
    },
)


def rule(kind: str, name: str = "act", **fields: object) -> Json:
    return {"type": kind, "tool_name": name, "prompt_template": None, **fields}


def after(
    *rules: Json,
    asked: bool = False,
    ok: bool = True,
    refused: str | None = None,
    unmet: tuple[str, ...] = (),
    last_step: bool = False,
) -> Aftermath:
    call = ToolCall(id="call-1", name="act", arguments="{}", heartbeat=asked)
    result = ToolReturn(call_id="call-1", name="act", ok=ok, output=refused or "", time="")
    situation = Situation(
        rules=rules_of(rules),
        refused=() if refused is None else {"call-1"},
        unmet=unmet,
        last_step=last_step,
    )
    return aftermath([call], [result], situation)


LEADING = (
    rule("constrain_child_tools", children=["act"]),
    rule("conditional", child_output_mapping={"a": "act"}),
    rule("max_count_per_step", max_count_limit=3),
    rule("continue_loop"),
)


@pytest.mark.rule("L55", "L56", "TR18")
@pytest.mark.parametrize("leading", LEADING, ids=lambda one: one["type"])
def test_a_leading_rule_wakes_the_agent_that_did_not_ask(leading: Json) -> None:
    assert "`act`" in (after(leading).told or "")
    assert after(leading, last_step=True).stop == "max_steps"
    assert after(rule("parent_last_tool", children=["act"])).stop == "end_turn"


@pytest.mark.rule("L55", "L56")
@pytest.mark.parametrize(("asked", "reason"), [(True, "tool_rule"), (False, "end_turn")])
def test_a_terminal_tool_ends_and_the_reason_says_whether_more_was_wanted(
    asked: bool, reason: StopReason
) -> None:
    ends = rule("exit_loop")
    assert after(ends, asked=asked) == Aftermath(stop=reason)
    assert after(ends, LEADING[3], asked=asked) == Aftermath(stop=reason)
    waits = after(ends, asked=asked, unmet=("other",))
    assert waits.stop is None
    assert "other" in (waits.told or "")


@pytest.mark.rule("L55", "L56")
def test_without_a_rule_the_agent_decides() -> None:
    assert after(asked=True) == Aftermath()
    assert after(asked=False) == Aftermath(stop="end_turn")
    assert after(asked=True, last_step=True) == Aftermath(stop="max_steps")
    assert "other" in (after(unmet=("other",)).told or "")


@pytest.mark.rule("FIX-10", "L56", "L57")
@pytest.mark.parametrize("rules", [(), (rule("exit_loop"),), (rule("continue_loop"),)])
@pytest.mark.parametrize("asked", [True, False])
def test_a_failed_call_wakes_the_agent_while_a_step_is_left(
    rules: tuple[Json, ...], asked: bool
) -> None:
    assert after(*rules, asked=asked, ok=False) == Aftermath(ok=False)
    assert after(*rules, asked=asked, ok=False, last_step=True).stop == "max_steps"
    refused = after(*rules, asked=asked, ok=False, refused=f"{REFUSED} No.")
    assert refused.stop is None
    assert "rule" in (refused.told or "")


@pytest.mark.rule("H14", "H17", "L56")
def test_an_answered_call_wakes_the_agent_and_a_denial_says_so() -> None:
    denied = after(ok=False, refused=f"{DENIED} No.")
    assert denied.stop is None
    assert "user" in (denied.told or "")
    assert after(refused="done by the client") == Aftermath()


@pytest.mark.rule("L54", "TR15")
@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_tool_gets_the_arguments_that_speak_to_the_loop(thinking: bool, terminal: bool) -> None:
    parameters = with_heartbeat(TOOL, terminal=terminal, thinking=thinking).parameters
    first = ["thinking"] if thinking else []
    last = [] if terminal else ["request_heartbeat"]
    assert list(parameters["properties"]) == [*first, "message", "to", *last]
    assert parameters["required"] == [*first, "message", *last]
    assert list(TOOL.parameters["properties"]) == ["message", "to"]
    bare = ToolSchema(name="bare", description="", parameters={})
    assert with_heartbeat(bare, terminal=True, thinking=False).parameters == {
        "type": "object",
        "properties": {},
        "required": [],
    }


@pytest.mark.rule("L60")
def test_the_message_has_the_form_that_the_agent_answers_in() -> None:
    shape: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
    for given_form in (
        {"type": "json_schema", "json_schema": {"name": "n", "schema": shape}},
        {"type": "json_schema", "json_schema": shape},
    ):
        made = formed(TOOL, given_form).parameters["properties"]
        assert made == {"message": shape, "to": {"type": "string"}}
    free = formed(TOOL, {"type": "json_object"}).parameters["properties"]["message"]
    assert free["type"] == "object"
    assert formed(TOOL, {"type": "text"}) is formed(TOOL, None) is TOOL


@pytest.mark.rule("L58", "FIX-52")
@given(
    arguments=st.dictionaries(st.sampled_from(["a", "message"]), st.text(max_size=5)),
    thinking=st.none() | st.text(max_size=5),
    heartbeat=st.booleans(),
    blanks=st.sampled_from(["", " ", "\n"]),
)
def test_a_model_is_shown_its_call_as_it_wrote_it_with_what_was_decided(
    arguments: dict[str, Any], thinking: str | None, heartbeat: bool, blanks: str
) -> None:
    text = f"{blanks}{json.dumps(arguments, indent=1)}{blanks}"
    call = ToolCall(id="c", name="n", arguments=text, heartbeat=heartbeat, thinking=thinking)
    shown = as_written(call, text)
    read = json.loads(shown.arguments)
    thought = {"thinking": thinking} if thinking else {}
    assert list(read.items()) == [
        *thought.items(), *arguments.items(), ("request_heartbeat", heartbeat)
    ]  # fmt: skip
    assert (shown.heartbeat, shown.thinking) == (None, None)
    assert kept_arguments(call) == shown.arguments
    assert kept_arguments(replace(call, heartbeat=None)) == text
    assert kept_arguments(replace(call, arguments="{cut")) == "{cut"
