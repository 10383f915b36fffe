"""The schemas that foreign servers give their tools: what is wrong, and what can be mended.

A schema comes from elsewhere: it may be deep, large, open or nonsense. What is offered to a
model is the mended one, and its health says what strict mode would object to (X50, X51).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from eunoe.domain.json_schema import listed, referred
from eunoe.domain.messages import Json
from eunoe.domain.wellformed import list_of, object_of

Health: TypeAlias = Literal["STRICT_COMPLIANT", "NON_STRICT_ONLY", "INVALID"]

_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_CHOICES: Final = ("anyOf", "oneOf", "allOf")
_TYPED: Final = frozenset({*_CHOICES, "type", "enum", "const", "not"})
_REFERENCES: Final = 10
_DEPTH: Final = 64
_NODES: Final = 5_000
_CHARS: Final = 64 * 1024
_MOST_REASONS: Final = 20
_TEXT: Final = {"type": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A schema as models can be given it. `unusable` says why it cannot be mended, if so."""

    parameters: Json
    health: Health
    reasons: tuple[str, ...]
    unusable: str | None = None


class _TooLarge(Exception):
    """The schema unfolds to more than a model could be told."""


def fitted(schema: object) -> Fitted:
    """Return `schema` mended, with its references written out, and what was wrong with it."""
    if not isinstance(schema, dict):
        return _refused("The schema is not an object.")
    given = cast("Json", schema)
    try:
        whole = cast("Json", _Unfolding(given).node(given, depth=0, followed=0))
        is_large = len(json.dumps(whole)) > _CHARS
    except (_TooLarge, RecursionError, ValueError, TypeError):
        is_large, whole = True, {}
    if is_large:
        return _refused("The schema is too deep or too large.")
    closed, flaws = _judged(whole)
    kinds = _types_of(whole)
    if kinds and "object" not in kinds:
        return _refused("root: the arguments are not an object")
    whole["type"] = "object"
    if not isinstance(whole.get("properties"), dict):
        whole["properties"] = {}
    mended = cast("Json", _mended(whole))
    if flaws:
        return Fitted(parameters=mended, health="INVALID", reasons=_few(flaws))
    if closed:
        return Fitted(parameters=mended, health="NON_STRICT_ONLY", reasons=_few(closed))
    return Fitted(parameters=mended, health="STRICT_COMPLIANT", reasons=())


def _refused(reason: str) -> Fitted:
    return Fitted(parameters={}, health="INVALID", reasons=(reason,), unusable=reason)


def _few(reasons: list[str]) -> tuple[str, ...]:
    return tuple(reason[:200] for reason in reasons[:_MOST_REASONS])


class _Unfolding:
    """Writes references out, ten deep at most; one that goes on is any value there."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = _NODES

    def node(self, value: object, *, depth: int, followed: int) -> object:
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            raise _TooLarge
        if isinstance(value, list):
            items = cast("list[object]", value)
            return [self.node(item, depth=depth + 1, followed=followed) for item in items]
        if not isinstance(value, dict):
            return value
        fields = cast("Json", value)
        reference = fields.get("$ref")
        if isinstance(reference, str):
            rest = {name: it for name, it in fields.items() if name != "$ref"}
            target = referred(self._root, reference) if followed < _REFERENCES else None
            return self.node(object_of(target) | rest, depth=depth + 1, followed=followed + 1)
        return {
            name: self.node(it, depth=depth + 1, followed=followed)
            for name, it in fields.items()
            if name not in ("$defs", "definitions")
        }


def _judged(root: Json) -> tuple[list[str], list[str]]:
    """Return what only loose mode takes, and what no mode should (X51)."""
    loose: list[str] = []
    wrong: list[str] = []
    if root.get("type") != "object":
        wrong.append("root: the type is not `object`")
    for place, node in _nodes(root, "root"):
        types = _types_of(node)
        wrong += [f"{place}: there is no type `{kind}`" for kind in types if kind not in _TYPES]
        if not _TYPED & node.keys():
            wrong.append(f"{place}: no type")
        if "array" in types and not isinstance(node.get("items"), dict):
            wrong.append(f"{place}: an array that says nothing of its items")
        if "object" in types:
            strays = [it for it in list_of(node.get("required")) if _is_stray(it, node)]
            wrong += [f"{place}: `{name}` is required and no property" for name in strays]
            if node.get("additionalProperties") is not False:
                loose.append(f"{place}: takes properties that it does not name")
    return loose, wrong


def _nodes(node: Json, place: str) -> Iterator[tuple[str, Json]]:
    """Yield the schemas in a schema, itself first, each with where it stands."""
    yield place, node
    for name, inner in object_of(node.get("properties")).items():
        if isinstance(inner, dict):
            yield from _nodes(cast("Json", inner), f"{place}.{name}")
    items = node.get("items")
    if isinstance(items, dict):
        yield from _nodes(cast("Json", items), f"{place}[]")
    for word in _CHOICES:
        for choice in list_of(node.get(word)):
            if isinstance(choice, dict):
                yield from _nodes(cast("Json", choice), f"{place}.{word}")


def _mended(value: object) -> object:
    """Return a node that models' providers take: known types, items, requirements that exist."""
    if not isinstance(value, dict):
        return value
    node: Json = dict(cast("Json", value))
    kinds = [kind for kind in _types_of(node) if kind in _TYPES]
    if "type" in node:
        if not kinds:
            del node["type"]
        elif isinstance(node["type"], list):
            node["type"] = kinds
    if "properties" in node:
        node["properties"] = {
            name: _mended(it) for name, it in object_of(node.get("properties")).items()
        }
    if "array" in kinds:
        items = node.get("items")
        node["items"] = _mended(cast("Json", items) if isinstance(items, dict) else _TEXT)
    if "object" in kinds:
        required = list_of(node.get("required"))
        node["required"] = [name for name in required if not _is_stray(name, node)]
    for word in _CHOICES:
        if word in node:
            node[word] = _distinct([_mended(choice) for choice in list_of(node[word])])
    return node


def _distinct(choices: list[object]) -> list[object]:
    seen: dict[str, object] = {}
    for choice in choices:
        seen.setdefault(json.dumps(choice, sort_keys=True), choice)
    return list(seen.values())


def _types_of(node: Mapping[str, object]) -> list[str]:
    return [str(kind) for kind in listed(node.get("type")) if kind is not None]


def _is_stray(name: object, node: Json) -> bool:
    """Whether what is required is no property."""
    return not isinstance(name, str) or name not in object_of(node.get("properties"))
