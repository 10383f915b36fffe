"""JSON Schemas of tools, reduced to what llama.cpp turns into a grammar.

llama.cpp refuses a whole request over one keyword that it cannot express, and
a `$ref` that pointed at the root of a tool's own schema points nowhere once
that schema stands inside another one.
"""

from typing import Final, TypeAlias

from eunoe.domain.json_schema import referred
from eunoe.domain.wellformed import list_of, object_of

Schema: TypeAlias = dict[str, object]

MAX_DEPTH: Final = 12
"""Nesting, references included, after which any JSON is allowed; ends recursive schemas."""

_CHOICES: Final = ("anyOf", "oneOf")
_KEPT: Final = frozenset(
    {"type", "enum", "const", "required", "minItems", "maxItems", "minLength", "maxLength"}
)


def reduced(schema: Schema) -> Schema:
    """Return `schema` without references and keywords that are only for people or validators."""
    return _reduced(schema, root=schema, depth=0)


def _reduced(schema: object, *, root: Schema, depth: int) -> Schema:
    node = object_of(schema)
    if depth >= MAX_DEPTH or not node:
        return {}
    if "$ref" in node:
        return _reduced(referred(root, node["$ref"]), root=root, depth=depth + 1)

    def inner(child: object) -> Schema:
        return _reduced(child, root=root, depth=depth + 1)

    kept: Schema = {key: value for key, value in node.items() if key in _KEPT}
    for key in _CHOICES:
        if key in node:
            kept["anyOf"] = [inner(child) for child in list_of(node[key])]
    merged = list_of(node.get("allOf"))
    if len(merged) == 1:
        return inner(merged[0])
    if "items" in node:
        kept["items"] = inner(node["items"])
    if "properties" in node:
        properties = object_of(node["properties"])
        kept["properties"] = {name: inner(child) for name, child in properties.items()}
        kept["additionalProperties"] = False
    elif isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = inner(node["additionalProperties"])
    return kept


def signature(schema: Schema) -> str:
    """Return an object schema's properties for a prompt: `label: string, limit?: integer`."""
    required = {str(name) for name in list_of(schema.get("required"))}
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {_type_name(object_of(property_))}"
        for name, property_ in object_of(schema.get("properties")).items()
    )


def _type_name(schema: Schema) -> str:
    allowed = list_of(schema.get("enum"))
    if allowed:
        return "|".join(str(value) for value in allowed)
    kind = schema.get("type")
    if kind == "array":
        return f"{_type_name(object_of(schema.get('items')))}[]"
    if isinstance(kind, str):
        return kind
    names = [
        _type_name(object_of(choice)) for key in _CHOICES for choice in list_of(schema.get(key))
    ]
    return "|".join(names) or "any"
