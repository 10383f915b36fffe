"""What a model is told of a tool in TypeScript, derived from its source (X16 to X18)."""

from typing import TYPE_CHECKING

from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolSchema
from eunoe.errors import ToolArgumentUnclear, ToolDocstringMissing, ToolTypeUnsupported
from eunoe.tools.schema.derive import checked
from eunoe.tools.schema.docstrings import Docs
from eunoe.tools.schema.typescript_source import (
    Function,
    Module,
    annotation_of,
    jsdoc,
    text_of,
    typescript,
)
from eunoe.tools.schema.typescript_types import TypescriptTypes, typescript_constant

if TYPE_CHECKING:
    from tree_sitter import Node


def derived_typescript(
    source: str, *, name: str | None = None, arguments: Json | None = None
) -> ToolSchema:
    """Return the schema of the function that `source` exports, from its types and JSDoc.

    `name` is the function meant, where there are several; `arguments` is the schema of them where
    that is given. Raises an `Invalid` with a code `tool_…` that says what to write.
    """
    module = Module(typescript(source))
    function = module.function(name)
    docs = jsdoc(function.comment)
    if arguments is not None:
        text = docs.text or f"Calls the function `{function.name}`."
        return ToolSchema(name=function.name, description=text, parameters=checked(arguments))
    if docs.text is None:
        raise ToolDocstringMissing(
            f"`{function.name}` has no description. Write one before it as `/** … */` that says "
            "what the tool does and, after `@param`, what each argument is."
        )
    try:
        parameters = _parameters(function, docs, TypescriptTypes(module.types))
    except RecursionError as error:
        raise ToolTypeUnsupported("The types of the arguments are nested too deeply.") from error
    return ToolSchema(name=function.name, description=docs.text, parameters=parameters)


def _parameters(function: Function, docs: Docs, types: TypescriptTypes) -> Json:
    """Return the schema of the arguments; those that must be given stand first (X36)."""
    properties: Json = {}
    required: list[str] = []
    for node in function.parameters:
        pattern = node.child_by_field_name("pattern") or node
        name, default = text_of(pattern), node.child_by_field_name("value")
        if pattern.type == "this":
            continue
        if pattern.type != "identifier":
            _unclear(name, "has no name: write one, without `...`, and take objects apart inside")
        if not docs.of(name):
            _unclear(name, f"is not described: write `@param {name} what it is` in the comment")
        properties[name] = _property(name, node, types) | {"description": docs.of(name)}
        if default is not None or types.is_optional(node):
            continue
        if len(required) + 1 < len(properties):
            _unclear(name, "must be given, so write it before those that may be left out")
        required.append(name)
    whole: Json = {"type": "object", "properties": properties, "required": required}
    return whole | ({"$defs": types.defs} if types.defs else {})


def _property(name: str, node: "Node", types: TypescriptTypes) -> Json:
    annotation = annotation_of(node)
    default = typescript_constant(node.child_by_field_name("value"))
    said = {} if default is None else {"default": default}
    match default:
        case _ if annotation is not None:
            return types.schema(annotation) | said
        case bool():
            return {"type": "boolean"} | said
        case int() | float():
            return {"type": "number"} | said
        case str():
            return {"type": "string"} | said
        case _:
            return _unclear(name, f"has no type: write one after its name, e.g. `{name}: string`")


def _unclear(name: str, why: str) -> Json:
    raise ToolArgumentUnclear(f"The argument `{name}` {why}.", argument=name)
