"""Which tools the rules allow, force and prefill, over every way of calling them."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.messages import Json, ToolReturn
from eunoe.domain.prefilled import filled, prefills, problems
from eunoe.domain.tool_rules import (
    REFUSED,
    History,
    allowed,
    hints,
    history_of,
    is_forced,
    named,
    refusal,
    rules_of,
    unmet_before_exit,
)
from tests.domain.conversations import TIME, message

ATTACHED = ("a", "b", "c", "d")
NAMES = st.sampled_from((*ATTACHED, "gone"))
CALLED = st.lists(NAMES, max_size=6).map(tuple)
OUTPUTS = st.text(max_size=8) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
KEYS = st.text(max_size=5) | st.sampled_from(("true", "False", "1", "1.50", "-0", "1e3"))


def rule(kind: str, name: str, **fields: object) -> Json:
    return {"type": kind, "tool_name": name, "prompt_template": None, **fields}


def drawn(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"type": st.just(kind), "tool_name": NAMES, **fields})


SOME = st.lists(NAMES, max_size=3)
RULE = st.one_of(
    drawn("run_first", args=st.none()),
    drawn("constrain_child_tools", children=SOME),
    drawn("parent_last_tool", children=SOME),
    drawn(
        "conditional",
        child_output_mapping=st.dictionaries(KEYS, NAMES, min_size=1, max_size=3),
        default_child=st.none() | NAMES,
        require_output_mapping=st.booleans(),
    ),
    drawn("max_count_per_step", max_count_limit=st.integers(-1, 4)),
    drawn("exit_loop"),
    drawn("continue_loop"),
    drawn("required_before_exit"),
    drawn("requires_approval"),
)
RULES = st.lists(RULE, max_size=5)


def history(*called: str, output: str | Json = "") -> History:
    return History(called=called, last_output=output if called else None)


def left(*rules: Json, called: Sequence[str] = (), output: str | Json = "") -> tuple[str, ...]:
    given_ = history(*called, output=output)
    return allowed(rules_of(rules), attached=ATTACHED, history=given_)


def returned(call_id: str, name: str, *, ok: bool = True, output: str | Json = "") -> ToolReturn:
    return ToolReturn(call_id=call_id, name=name, ok=ok, output=output, time=TIME)


@pytest.mark.rule("TR4", "TR6", "FIX-15")
def test_the_history_is_the_calls_that_ran_in_their_order() -> None:
    said = [
        message("1", "user", "go"),
        message("2", "tool", returns=[returned("x", "a", output="one")]),
        message("3", "tool", returns=[returned("y", "b", ok=False, output=f"{REFUSED} no")]),
        message("4", "tool", returns=[returned("z", "c", ok=False, output="it broke")]),
        message("5", "assistant", "done"),
    ]
    assert history_of(said) == history("a", "c", output="it broke")
    assert history_of(said[:3]) == history("a", output="one")
    assert history_of([]).last is None


@pytest.mark.rule("TR6")
def test_only_a_failure_that_says_so_was_refused() -> None:
    said = [message("1", "tool", returns=[returned("x", "a", output=f"{REFUSED} is a text")])]
    assert history_of(said).called == ("a",)


@pytest.mark.rule("TR7", "FIX-16")
@given(CALLED, st.integers(0, 5))
def test_a_call_counts_once(called: tuple[str, ...], limit: int) -> None:
    """So that a limit of N allows N calls, whatever else was called."""
    limited = rule("max_count_per_step", "a", max_count_limit=limit)
    assert ("a" in left(limited, called=called)) is (called.count("a") < limit)


@pytest.mark.rule("TR5")
def test_the_count_is_of_the_whole_run() -> None:
    limited = rule("max_count_per_step", "a", max_count_limit=2)
    said = [message(str(n), "tool", returns=[returned("x", "a")]) for n in range(2)]
    found = history_of(said)
    assert allowed(rules_of([limited]), attached=ATTACHED, history=found) == ("b", "c", "d")


@pytest.mark.rule("TR11")
def test_the_first_tools_come_first_and_then_restrict_nothing() -> None:
    first = [rule("run_first", "b"), rule("run_first", "d", args={})]
    assert left(*first) == ("b", "d")
    assert left(*first, called=["b"]) == ATTACHED
    assert left(rule("run_first", "gone")) == ()


@pytest.mark.rule("TR11")
def test_children_are_all_there_is_right_after_their_parent() -> None:
    one = rule("constrain_child_tools", "a", children=["c", "gone"])
    assert left(one) == ATTACHED
    assert left(one, called=["a"]) == ("c",)
    assert left(one, called=["a", "c"]) == ATTACHED


@pytest.mark.rule("TR11")
def test_a_parents_children_come_right_after_it_and_at_no_other_time() -> None:
    one = rule("parent_last_tool", "a", children=["c"])
    assert left(one) == ("a", "b", "d")
    assert left(one, called=["a"]) == ("c",)
    assert left(one, called=["a", "c"]) == ("a", "b", "d")


@pytest.mark.rule("TR12", "FIX-18")
def test_rules_that_leave_no_tool_leave_none() -> None:
    after = rule("constrain_child_tools", "a", children=["b"])
    never = rule("max_count_per_step", "b", max_count_limit=0)
    assert left(after, never, called=["a"]) == ()


@pytest.mark.rule("TR11", "TR12", "TR14", "FIX-18")
@given(RULES, CALLED, OUTPUTS)
def test_the_allowed_set_is_what_each_rule_alone_allows(
    rules: list[Json], called: tuple[str, ...], output: str | Json
) -> None:
    """In the order of what is attached, nothing of it invented or put twice."""
    found = left(*rules, called=called, output=output)
    assert found == tuple(name for name in ATTACHED if name in found)
    first = {one["tool_name"] for one in rules if one["type"] == "run_first"}
    if first and not called:
        assert set(found) == first & set(ATTACHED)
        return
    alone = [set(left(one, called=called, output=output)) for one in rules]
    assert set(found) == set(ATTACHED).intersection(*alone)


@pytest.mark.rule("TR14")
@given(CALLED)
def test_rules_on_the_end_of_a_run_restrict_nothing(called: tuple[str, ...]) -> None:
    kinds = ("exit_loop", "continue_loop", "required_before_exit", "requires_approval")
    assert left(*(rule(kind, "a") for kind in kinds), called=called) == ATTACHED
    assert not is_forced(rules_of([rule(k, "a") for k in kinds]), history=history(*called))


MATCHES: list[tuple[str, str | Json, bool]] = [
    ("red", "red", True),
    ("red", "Red", False),
    ("red", " red", False),
    ("true", "True", True),
    ("True", " true\n", True),
    ("true", "1", False),
    ("False", "FALSE", True),
    ("1", "1.0", True),
    ("1", " 1 ", True),
    ("1", "one", False),
    ("0.1", "1e-1", True),
    ("9007199254740993", "9007199254740992", False),
    ("1e999", "Infinity", False),
    ("1", "True", False),
    ("1", "\N{ARABIC-INDIC DIGIT ONE}", False),
    ("", "", True),
    ('{"a": 1}', {"a": 1}, True),
    ("a", {"a": 1}, False),
    ("red", {"message": "red", "status": "OK"}, True),
    ("red", '{"message": "red"}', True),
    ("true", {"message": True}, True),
    ("1", {"message": 1.0}, True),
    ("red", '["red"]', False),
]


@pytest.mark.rule("TR3", "TR9", "TR10", "FIX-17")
@pytest.mark.parametrize(("key", "output", "matches"), MATCHES)
def test_an_output_is_matched_as_text_number_or_boolean(
    key: str, output: str | Json, matches: bool
) -> None:
    one = rule("conditional", "a", child_output_mapping={key: "c"}, require_output_mapping=True)
    assert left(one, called=["a"], output=output) == (("c",) if matches else ())


@pytest.mark.rule("TR10")
def test_an_output_without_a_match_falls_back() -> None:
    fields: Json = {"child_output_mapping": {"yes": "c"}}
    wide = rule("conditional", "a", **fields)
    assert left(wide, called=["a"], output="no") == ATTACHED
    assert left({**wide, "default_child": "d"}, called=["a"], output="no") == ("d",)
    strict = {**wide, "default_child": "d", "require_output_mapping": True}
    assert left(strict, called=["a"], output="no") == ()
    assert left(strict, called=["b"], output="no") == ATTACHED


@pytest.mark.rule("TR3")
def test_the_first_match_in_the_order_of_the_mapping_wins() -> None:
    one = rule("conditional", "a", child_output_mapping={"1.0": "c", "1": "d"})
    assert left(one, called=["a"], output="1") == ("c",)


@pytest.mark.rule("TR15")
@given(RULES, CALLED)
def test_a_call_is_forced_at_first_and_right_after_some_tools(
    rules: list[Json], called: tuple[str, ...]
) -> None:
    binding = {"constrain_child_tools", "conditional", "parent_last_tool"}
    after = {one["tool_name"] for one in rules if one["type"] in binding}
    first = any(one["type"] == "run_first" for one in rules)
    wanted = called[-1] in after if called else first
    assert is_forced(rules_of(rules), history=history(*called)) is wanted


@pytest.mark.rule("L36", "L47")
@given(RULES, CALLED)
def test_a_run_may_end_once_every_required_tool_that_it_has_was_called(
    rules: list[Json], called: tuple[str, ...]
) -> None:
    unmet = unmet_before_exit(rules_of(rules), attached=ATTACHED, called=called)
    required = named(rules_of(rules), "required_before_exit")
    assert set(unmet) == (required & set(ATTACHED)) - set(called)
    assert len(unmet) == len(set(unmet))


PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "flag": {"type": "boolean"},
        "colour": {"enum": ["red", 1, None]},
        "fixed": {"const": True},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "one": {"oneOf": [{"type": "array"}, {"type": "object"}]},
        "some": {"type": ["string", "null"]},
        "odd": {"type": "unheard_of"},
        "any": True,
    },
}
VALUES: list[tuple[str, object, bool]] = [
    ("text", "x", True), ("text", 1, False), ("text", None, False),
    ("count", 1, True), ("count", 1.0, True), ("count", 1.5, False), ("count", True, False),
    ("share", 0.5, True), ("share", 1, True), ("share", False, False),
    ("flag", True, True), ("flag", 1, False),
    ("colour", "red", True), ("colour", True, False), ("colour", None, True),
    ("fixed", True, True), ("fixed", 1, False),
    ("either", None, True), ("either", 2, False),
    ("one", [1], True), ("one", {}, True), ("one", "x", False),
    ("some", None, True), ("some", 1, False),
    ("odd", object, True), ("any", 1, True), ("missing", 1, False),
]  # fmt: skip


@pytest.mark.rule("TR16")
@pytest.mark.parametrize(("key", "value", "fits"), VALUES)
def test_prefilled_values_must_suit_the_schema(key: str, value: object, fits: bool) -> None:
    rules = rules_of([rule("run_first", "a", args={key: value})])
    found = problems(prefills(rules, name="a", history=history()), parameters=PARAMETERS)
    assert (found == []) is fits
    assert all("run_first" in one and f"`{key}`" in one for one in found)


@pytest.mark.rule("TR16")
def test_prefilled_arguments_win_and_the_later_rule_most() -> None:
    nodes = [{"name": "b", "args": {"text": "1"}}, {"name": "b", "args": {"text": "2"}}]
    rules = rules_of(
        [
            rule("run_first", "b", args={"text": "0", "flag": True}),
            rule("constrain_child_tools", "a", children=["b"], child_arg_nodes=nodes),
        ]
    )
    own: Json = {"text": "mine", "count": 3}
    at_first = prefills(rules, name="b", history=history())
    assert filled(own, at_first) == {"text": "0", "flag": True, "count": 3}
    after = prefills(rules, name="b", history=history("a"))
    assert filled(own, after) == {"text": "2", "count": 3}
    assert prefills(rules, name="c", history=history("a")) == []
    assert prefills(rules, name="b", history=history("b")) == []


ARGUMENTS = st.dictionaries(st.sampled_from(tuple("wxyz")), st.integers(), max_size=4)


@pytest.mark.rule("TR16")
@given(ARGUMENTS, st.lists(ARGUMENTS, max_size=3))
def test_every_given_key_is_there_and_every_other_stays(own: Json, each: list[Json]) -> None:
    rules = rules_of([rule("run_first", "a", args=one) for one in each])
    merged = filled(own, prefills(rules, name="a", history=history()))
    assert merged.keys() == own.keys() | {key for one in each for key in one}
    for key, value in merged.items():
        said = [one[key] for one in (own, *each) if key in one]
        assert value == said[-1]


@pytest.mark.rule("TR17", "L38")
def test_a_refusal_names_the_tool_the_valid_ones_and_the_rules_in_the_way() -> None:
    stored = [
        rule("constrain_child_tools", "a", children=["b"]),
        rule("max_count_per_step", "c", max_count_limit=1),
        rule("parent_last_tool", "d", children=["c"]),
        rule("continue_loop", "b"),
        rule("requires_approval", "c"),
    ]
    text = refusal("c", valid=["b"], stored=stored, last="a")
    assert text.startswith(REFUSED)
    assert "`c`" in text
    assert "Valid tools: b." in text
    assert len(hints(stored, name="c", last="a")) == 3
    assert hints(stored, name="x", last=None) == []
    assert refusal("c", valid=[]).endswith("Valid tools: none.")
