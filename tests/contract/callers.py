"""Which methods of the official clients the tests call, read from their source."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.house.tree import ROOT, python_files

_NODE_CALL: Final = re.compile(r"\bclient\.([A-Za-z.]+)\(")
_NO_RESOURCES: Final = {"with_raw_response", "with_streaming_response", "letta"}
"""Attributes on the way to a method that are none: what a client is held as, and raw answers."""


def called_in_python() -> frozenset[str]:
    """Return what tests call on any object, e.g. `agents.blocks.attach`."""
    return frozenset(
        chain
        for path in python_files("tests")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (chain := ".".join(_chain(node.func)))
    )


def called_in_node() -> frozenset[str]:
    """Return what the programs for Node call, with the names that the Python client uses."""
    return frozenset(
        re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", call)
        for path in sorted((ROOT / "tests" / "node").glob("*.mjs"))
        for call in _NODE_CALL.findall(path.read_text(encoding="utf-8"))
    )


def _chain(called: ast.expr) -> Iterator[str]:
    """Yield the attributes between the object at the beginning and the call."""
    if isinstance(called, ast.Attribute):
        yield from _chain(called.value)
        if called.attr not in _NO_RESOURCES:
            yield called.attr
