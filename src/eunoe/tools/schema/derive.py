"""What a model is told of a custom tool, derived from its source (api 13.2, X16 to X18)."""

import ast
from collections.abc import Iterator
from typing import Final, cast

from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolSchema
from eunoe.errors import (
    ToolArgumentUnclear,
    ToolDocstringMissing,
    ToolSchemaInvalid,
    ToolTypeUnsupported,
)
from eunoe.tools.schema.docstrings import Docs, read_docs
from eunoe.tools.schema.source import Function, function_of, parsed
from eunoe.tools.schema.types import Types, without_null

INJECTED: Final = frozenset({"agent_state", "agent_id"})
"""Arguments that the server fills in, so that a model is never asked for them (X27, FIX-56)."""
_RECEIVERS: Final = frozenset({"self", "cls"})
_UNTOLD: Final = "No description available"


def derived(source: str, *, name: str | None = None) -> ToolSchema:
    """Return the schema of the tool that Python `source` defines, from its signature and docstring.

    `name` is the function meant, where there are several. Raises an `Invalid` with a code
    `tool_…` that says what to write where something is missing.
    """
    module = parsed(source)
    function = function_of(module, name=name)
    docstring = ast.get_docstring(function)
    if docstring is None:
        raise ToolDocstringMissing(
            f"`{function.name}` has no docstring. Begin it with a text in triple quotes that says "
            "what the tool does and, under `Args:`, what each argument is. If another function is "
            "the tool, write it last."
        )
    docs = read_docs(docstring)
    try:
        parameters = _parameters(function, docs, Types(module))
    except RecursionError as error:
        raise ToolTypeUnsupported("The types of the arguments are nested too deeply.") from error
    return ToolSchema(name=function.name, description=docs.text or _UNTOLD, parameters=parameters)


def described(source: str, arguments: Json, *, name: str | None = None) -> ToolSchema:
    """Return the schema of a tool whose `arguments` are given as a JSON Schema (X16)."""
    function = function_of(parsed(source), name=name)
    docs = read_docs(ast.get_docstring(function))
    return ToolSchema(
        name=function.name,
        description=docs.text or f"Calls the function `{function.name}`.",
        parameters=checked(arguments),
    )


def checked(parameters: object) -> Json:
    """Return `parameters` as the schema of a function's arguments; raise `ToolSchemaInvalid`."""
    if not isinstance(parameters, dict):
        raise ToolSchemaInvalid("The arguments of a tool are described by a JSON object.")
    schema: Json = {"type": "object", "properties": {}, "required": []}
    schema |= cast("Json", parameters)
    if schema["type"] != "object" or not isinstance(schema["properties"], dict):
        raise ToolSchemaInvalid(
            "The arguments of a tool are an object: its schema needs `type: object` and "
            "`properties`, one for each argument."
        )
    if not isinstance(schema["required"], list):
        raise ToolSchemaInvalid("`required` in the schema must be a list of arguments' names.")
    return schema


def _parameters(function: Function, docs: Docs, types: Types) -> Json:
    properties: Json = {}
    required: list[str] = []
    for argument, default in _arguments(function):
        properties[argument.arg], needed = _property(argument, default, docs, types)
        if needed:
            required.append(argument.arg)
    whole: Json = {"type": "object", "properties": properties, "required": required}
    return whole | ({"$defs": types.defs} if types.defs else {})


def _arguments(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield the arguments a model gives, each with its default; raise for nameless ones."""
    args = function.args
    for nameless in (args.vararg, args.kwarg, *args.posonlyargs):
        if nameless is not None:
            raise ToolArgumentUnclear(
                f"`{nameless.arg}` of `{function.name}` cannot be given by its name. Tools are "
                "called by names alone: replace `*args` and `**kwargs` by one argument each, and "
                "leave out `/`.",
                argument=nameless.arg,
            )
    bare: list[ast.expr | None] = [None] * (len(args.args) - len(args.defaults))
    pairs = [
        *zip(args.args, [*bare, *args.defaults], strict=True),
        *zip(args.kwonlyargs, args.kw_defaults, strict=True),
    ]
    for place, (argument, default) in enumerate(pairs):
        if argument.arg in INJECTED or (place == 0 and argument.arg in _RECEIVERS):
            continue
        yield argument, default


def _property(
    argument: ast.arg, default: ast.expr | None, docs: Docs, types: Types
) -> tuple[Json, bool]:
    """Return what an argument is, and whether it must be given: not if it is optional."""
    name = argument.arg
    if argument.annotation is None:
        raise ToolArgumentUnclear(
            f"The argument `{name}` has no type. Write one after its name, e.g. `{name}: str`.",
            argument=name,
        )
    field = types.read(argument.annotation, default)
    told = field.description or docs.of(name)
    if not told:
        raise ToolArgumentUnclear(
            f"The argument `{name}` is not described. Add a line `{name}: what it is` under "
            "`Args:` in the docstring.",
            argument=name,
        )
    schema = types.field(field)
    given = without_null(schema)
    return (given or schema) | {"description": told}, field.required and given is None
