"""Which tests hold the server to which rules, read from their source, so that nothing is run."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from tests.house.tree import name, python_files


def marks(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """Yield each rule of a `pytest.mark.rule(...)` with the test it stands at, null for none.

    A mark for a whole file, or in a name that several tests share, stands at no test.
    """
    for node in tree.body:
        is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        test = node.name if is_test else None
        yield from ((rule, test) for rule in _rules(node))


@cache
def holders() -> dict[str, list[str]]:
    """Return the tests of each rule, as `file::test`, or the file alone."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in python_files("tests"):
        for rule, test in marks(ast.parse(path.read_text(encoding="utf-8"))):
            where = name(path) if test is None else f"{name(path)}::{test}"
            if where not in found[rule]:
                found[rule].append(where)
    return dict(found)


def _rules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="rule", value=ast.Attribute(attr="mark")), args=arguments
            ):
                yield from (str(ast.literal_eval(one)) for one in arguments)
            case _:
                pass
