"""The manifest and the tests agree, in both directions."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.contract.requirements import AREAS, FORM, REQUIREMENTS, order
from tests.house.tree import name, python_files


def _marked(tree: ast.Module) -> Iterator[str]:
    """Yield the rules of every `pytest.mark.rule(...)`, wherever it stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="rule", value=ast.Attribute(attr="mark")), args=arguments
            ):
                yield from (str(ast.literal_eval(one)) for one in arguments)
            case _:
                pass


def _tested() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in python_files("tests"):
        for rule in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            found[rule].add(name(path))
    return found


def test_every_rule_has_the_one_form() -> None:
    odd = {rule: sorted(files) for rule, files in _tested().items() if not FORM.fullmatch(rule)}
    assert odd == {}, "write them like api-8.4, streaming-2.15, G-12, FIX-7 or L22"


def test_every_rule_that_a_test_names_is_in_the_manifest() -> None:
    lines = [
        f'    "{rule}": "…",  # used in {", ".join(sorted(files))}'
        for rule, files in sorted(_tested().items(), key=lambda item: order(item[0]))
        if rule not in REQUIREMENTS
    ]
    where = Path(__file__).parent / "rules"
    assert lines == [], f"add to {name(where)}, with a sentence:\n" + "\n".join(lines)


def test_every_requirement_has_a_test() -> None:
    missing = sorted(REQUIREMENTS.keys() - _tested().keys(), key=order)
    assert missing == [], "mark the tests that hold the server to these, or delete the lines"


def test_the_manifest_is_sorted_and_says_each_rule_once() -> None:
    for area, rules in AREAS.items():
        kinds = [order(rule)[0] for rule in rules]
        assert kinds == sorted(kinds, key=kinds.index), area
        for kind in dict.fromkeys(kinds):
            own = [rule for rule in rules if order(rule)[0] == kind]
            assert own == sorted(own, key=order), area
    assert len(REQUIREMENTS) == sum(len(rules) for rules in AREAS.values())


def test_every_requirement_is_one_sentence() -> None:
    for rule, sentence in REQUIREMENTS.items():
        assert sentence[0].isupper() or sentence.startswith("`"), rule
        assert sentence.endswith("."), rule
        assert "\n" not in sentence, rule


def test_a_marker_is_found_wherever_it_stands() -> None:
    tree = ast.parse(
        'pytestmark = [pytest.mark.rule("G-1")]\n'
        '@pytest.mark.rule("G-2", "G-3")\n'
        "def test() -> None:\n"
        '    pytest.param(1, marks=pytest.mark.rule("G-4"))\n'
    )
    assert sorted(_marked(tree)) == ["G-1", "G-2", "G-3", "G-4"]
