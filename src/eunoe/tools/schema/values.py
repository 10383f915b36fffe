"""Constants written in a source, as JSON values."""

import ast
import math
from typing import TypeAlias, cast

Scalar: TypeAlias = str | int | float | bool


def constant(node: ast.expr | None) -> Scalar | None:
    """Return the text, number or boolean that `node` is, null for everything else."""
    value = literal(node)
    return value if isinstance(value, str | int | float | bool) else None


def literal(node: ast.expr | None) -> object:
    """Return the JSON value that `node` writes out; null for what JSON cannot say."""
    if node is None:
        return None
    try:
        return _as_json(ast.literal_eval(node))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def _as_json(value: object) -> object:
    match value:
        case None | str() | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_as_json(one) for one in cast("list[object]", value)]
        case dict() if all(isinstance(key, str) for key in cast("dict[object, object]", value)):
            return {key: _as_json(one) for key, one in cast("dict[str, object]", value).items()}
        case _:
            raise ValueError("JSON has no such value")
