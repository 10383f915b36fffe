"""JSON Schemas in the strict form that makes a provider enforce them (X53)."""

from collections.abc import Iterator
from typing import Any, Final, cast

from eunoe.domain.messages import Json

_DROPPED: Final = frozenset(
    {
        "default",
        "$schema",
        "minLength",
        "maxLength",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    }
)
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_UNSAYABLE: Final = frozenset(
    {
        *("prefixItems", "allOf", "not", "if", "contains", "patternProperties", "propertyNames"),
        *("dependentRequired", "dependentSchemas", "unevaluatedProperties"),
    }
)
_SAYING: Final = ("type", "enum", "const", "$ref", "anyOf", "oneOf")
"""What a schema of strict mode has one of: it cannot say `anything`."""
_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf")


def strict_schema(schema: Json) -> Json | None:
    """Return `schema` with all properties required, optional ones nullable, others refused.

    At every level; None where it has a free-form object, a value of any kind, a list of which
    each place has a type of its own or conditions: strict mode cannot say those. One of several
    is any of them, and a format that it does not know is described.
    """
    rooted: Json = {"type": "object", "properties": {}}
    rooted |= schema
    return None if _is_free(rooted) else _strict(rooted)


def _is_free(schema: Json) -> bool:
    if _UNSAYABLE & schema.keys() or not any(word in schema for word in _SAYING):
        return True
    is_object = "object" in _types(schema)
    others = schema.get("additionalProperties")
    if is_object and ("properties" not in schema or others not in (None, False)):
        return True
    return any(_is_free(inner) for inner in _inner(schema))


def _inner(schema: Json) -> Iterator[Json]:
    for key in _MAPS:
        yield from (v for v in schema.get(key, {}).values() if isinstance(v, dict))
    for key in _LISTS:
        yield from schema.get(key, ())
    if isinstance(schema.get("items"), dict):
        yield schema["items"]


def _strict(schema: Json) -> Json:
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    strict: Json = {key: value for key, value in schema.items() if key not in _DROPPED}
    required: set[str] = set(schema.get("required") or ())
    for key in _MAPS:
        if key in schema:
            strict[key] = {name: _strict(value) for name, value in schema[key].items()}
    choices = [_strict(item) for key in _LISTS for item in strict.pop(key, ())]
    if choices:
        strict["anyOf"] = choices
    if "format" in strict and strict["format"] not in _FORMATS:
        told = f"format={strict.pop('format')}"
        strict["description"] = ", ".join(filter(None, (strict.get("description"), told)))
    if isinstance(schema.get("items"), dict):
        strict["items"] = _strict(schema["items"])
    if "properties" in strict:
        properties = cast("Json", strict["properties"])
        strict["properties"] = {
            name: value if name in required else _nullable(value)
            for name, value in properties.items()
        }
        strict["required"] = list(properties)
        strict["additionalProperties"] = False
    return strict


def _types(schema: Json) -> list[str]:
    kind: str | list[str] | None = schema.get("type")
    if kind is None:
        return []
    return [kind] if isinstance(kind, str) else kind


def _nullable(schema: Json) -> Json:
    """Return `schema` with null allowed beside what it allows."""
    kinds = _types(schema)
    if not kinds:
        choices: list[Json] = schema.get("anyOf") or [schema]
        if any("null" in _types(choice) for choice in choices):
            return schema
        rest = {k: v for k, v in schema.items() if k == "description"}
        return rest | {"anyOf": [*choices, {"type": "null"}]}
    if "null" in kinds:
        return schema
    nullable: Json = schema | {"type": [*kinds, "null"]}
    allowed: list[Any] | None = schema.get("enum")
    if allowed is not None and None not in allowed:
        nullable["enum"] = [*allowed, None]
    return nullable
