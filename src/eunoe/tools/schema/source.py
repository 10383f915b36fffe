"""The source of a tool, read and never run: which function is the tool (X18, FIX-73)."""

import ast
import warnings
from typing import Final, TypeAlias

from eunoe.errors import ToolFunctionMissing, ToolSourceInvalid

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

LONGEST: Final = 200_000


def parsed(source: str) -> ast.Module:
    """Return the syntax of Python source; raise `ToolSourceInvalid` naming the line."""
    if len(source) > LONGEST:
        raise ToolSourceInvalid(f"The source is longer than {LONGEST} characters.")
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(source)
    except SyntaxError as error:
        raise ToolSourceInvalid(
            f"The source is not valid Python: line {error.lineno}: {error.msg}."
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ToolSourceInvalid(f"The source cannot be read as Python: {error}.") from error


def function_of(module: ast.Module, *, name: str | None = None) -> Function:
    """Return the function called `name`, else the last one at the top level.

    One whose name begins with `_` is a help to the others and only taken where there is no
    other. Raises `ToolFunctionMissing`.
    """
    found = [n for n in module.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    if not found:
        raise ToolFunctionMissing
    public = [one for one in found if not one.name.startswith("_")]
    named = [one for one in found if one.name == name]
    return (named or public or found)[-1]


def parameters_of(function: Function) -> tuple[str, ...]:
    """Return the names of all arguments of a function."""
    args = function.args
    return tuple(one.arg for one in (*args.posonlyargs, *args.args, *args.kwonlyargs))
