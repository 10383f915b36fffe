"""JSON Schemas with nothing in them that Google refuses (P30)."""

from collections.abc import Mapping
from typing import Final, cast

from eunoe.domain.messages import Json

_DROPPED: Final = frozenset(
    {"default", "exclusiveMinimum", "exclusiveMaximum", "additionalProperties", "$schema", "const",
     "$defs", "definitions"}
)  # fmt: skip
_FORMATS: Final = frozenset({"enum", "date-time"})
_DEEPEST: Final = 32


def google_schema(schema: Json) -> Json:
    """Return `schema` without the keys that Google refuses, references written out."""
    definitions: Json = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return _plain(schema, definitions, depth=0)


def _plain(schema: Json, definitions: Json, *, depth: int) -> Json:
    """Return one level; a reference that leads back to itself ends as any value at all."""
    if depth > _DEEPEST:
        return {}
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name:
        found = {**definitions.get(name, {}), **{k: v for k, v in schema.items() if k != "$ref"}}
        return _plain(found, definitions, depth=depth + 1)
    plain: Json = {}
    if "const" in schema and "enum" not in schema and isinstance(schema["const"], str):
        plain["enum"] = [schema["const"]]
    for key, value in schema.items():
        if key in _DROPPED or (key == "format" and value not in _FORMATS):
            continue
        if key == "properties":
            properties = cast("Mapping[str, Json]", value)
            plain[key] = {n: _plain(v, definitions, depth=depth + 1) for n, v in properties.items()}
        else:
            plain[key] = _inner(value, definitions, depth=depth)
    return plain


def _inner(value: object, definitions: Json, *, depth: int) -> object:
    if isinstance(value, dict):
        return _plain(cast("Json", value), definitions, depth=depth + 1)
    if isinstance(value, list):
        return [_inner(one, definitions, depth=depth) for one in cast("list[object]", value)]
    return value
