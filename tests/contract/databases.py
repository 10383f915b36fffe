"""Which tests need a database, and how often a test tries, read from their source."""

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from tests.house.tree import name, python_files

_ROOT: Final = "database_url"
"""The fixture that gives a test each of the two databases in turn."""
_CASES: Final = re.compile(r'"EUNOE_CRASHES", "(?P<default>\d+)"')
_OFTEN: Final = re.compile(r"^CRASHES \?= (?P<often>\d+)$", re.MULTILINE)


def on_databases(place: str) -> bool:
    """Whether the test at `file::test`, or any of a file's, gets a database from its fixtures."""
    file, _, test = place.partition("::")
    found = [takes for (where, _), takes in _tests().items() if where == file]
    named = [_tests()[file, test]] if (file, test) in _tests() else []
    return any(_reaches(one, frozenset()) for takes in (named or found) for one in takes)


def cases(place: str) -> tuple[int, int] | None:
    """Return how many cases a test of faults tries: by default, and in `make chaos`."""
    text = Path(place.partition("::")[0]).read_text(encoding="utf-8")
    found, often = _CASES.search(text), _OFTEN.search(Path("Makefile").read_text(encoding="utf-8"))
    if found is None or often is None:
        return None
    return int(found["default"]), int(often["often"])


def _reaches(fixture: str, seen: frozenset[str]) -> bool:
    if fixture == _ROOT:
        return True
    further = _fixtures().get(fixture, frozenset()) - seen
    return any(_reaches(one, seen | {fixture}) for one in further)


@cache
def _fixtures() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for _, node in _functions():
        if any("fixture" in ast.unparse(one) for one in node.decorator_list):
            found[node.name] = found.get(node.name, frozenset()) | _arguments(node)
    return found


@cache
def _tests() -> Mapping[tuple[str, str], frozenset[str]]:
    return {
        (where, node.name): _arguments(node)
        for where, node in _functions()
        if node.name.startswith("test_")
    }


@cache
def _functions() -> tuple[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef], ...]:
    return tuple(
        (name(path), node)
        for path in python_files("tests")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    return frozenset(one.arg for one in (*node.args.args, *node.args.kwonlyargs))
