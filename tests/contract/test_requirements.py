"""The manifest and the tests agree, in both directions."""

import ast
from pathlib import Path

from tests.contract.holders import holders, marks
from tests.contract.requirements import AREAS, FORM, REQUIREMENTS, order
from tests.contract.rules.untested import ALL, UNTESTED
from tests.house.tree import name


def test_every_rule_has_the_one_form() -> None:
    odd = {rule: sorted(files) for rule, files in holders().items() if not FORM.fullmatch(rule)}
    assert odd == {}, "write them like api-8.4, streaming-2.15, G-12, FIX-7 or L22"


def test_every_rule_that_a_test_names_is_in_the_manifest() -> None:
    lines = [
        f'    "{rule}": "…",  # used in {", ".join(sorted(files))}'
        for rule, files in sorted(holders().items(), key=lambda item: order(item[0]))
        if rule not in REQUIREMENTS
    ]
    where = Path(__file__).parent / "rules"
    assert lines == [], f"add to {name(where)}, with a sentence:\n" + "\n".join(lines)


def test_every_requirement_has_a_test() -> None:
    missing = sorted(REQUIREMENTS.keys() - holders().keys(), key=order)
    assert missing == [], "mark the tests that hold the server to these, or delete the lines"


def test_the_manifest_is_sorted_and_says_each_rule_once() -> None:
    for area, rules in AREAS.items():
        kinds = [order(rule)[0] for rule in rules]
        assert kinds == sorted(kinds, key=kinds.index), area
        for kind in dict.fromkeys(kinds):
            own = [rule for rule in rules if order(rule)[0] == kind]
            assert own == sorted(own, key=order), area
    assert len(REQUIREMENTS) == sum(len(rules) for rules in AREAS.values())


def test_every_rule_has_a_test_or_a_reason_for_none() -> None:
    missing = sorted(set(ALL) - REQUIREMENTS.keys() - UNTESTED.keys(), key=order)
    assert missing == [], "test these, or give the reason in rules/untested.py"
    unknown = sorted(UNTESTED.keys() - set(ALL), key=order)
    assert unknown == [], "there are no such rules"


def test_a_rule_that_is_tested_needs_no_reason() -> None:
    done = sorted(UNTESTED.keys() & REQUIREMENTS.keys(), key=order)
    assert done == [], "these are tested now; delete their lines in rules/untested.py"


def test_the_reasons_are_sorted() -> None:
    assert list(UNTESTED) == sorted(UNTESTED, key=order)


def test_every_requirement_is_one_sentence() -> None:
    for rule, sentence in [*REQUIREMENTS.items(), *UNTESTED.items()]:
        assert rule in UNTESTED or sentence[0].isupper() or sentence.startswith("`"), rule
        assert sentence.endswith("."), rule
        assert "\n" not in sentence, rule


def test_a_marker_is_found_wherever_it_stands() -> None:
    tree = ast.parse(
        'pytestmark = [pytest.mark.rule("G-1")]\n'
        '@pytest.mark.rule("G-2", "G-3")\n'
        "def test() -> None:\n"
        '    pytest.param(1, marks=pytest.mark.rule("G-4"))\n'
    )
    assert list(marks(tree)) == [("G-1", None), ("G-2", "test"), ("G-3", "test"), ("G-4", "test")]
