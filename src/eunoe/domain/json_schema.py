"""What a JSON Schema asks for, and whether a value is it: the part of the language tools use.

What this part has no word for (`not`, `if`, `pattern`, a reference to elsewhere) makes a value
not fit, for whoever asks here acts on a yes. Patterns are left out because a tool's author could
write one that never ends.
"""

from collections.abc import Callable, Iterator, Mapping, Sized
from typing import Final, TypeAlias, cast

from eunoe.domain.messages import Json
from eunoe.domain.wellformed import object_of

_Fields: TypeAlias = Mapping[str, object]
_Check: TypeAlias = Callable[[object, object], bool]

_MAX_DEPTH: Final = 32
_MOST_JUDGEMENTS: Final = 100_000
"""Schemas that refer to themselves twice would else take for ever."""
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def same(left: object, right: object) -> bool:
    """Return whether two JSON values are one; `true` is not 1, at any depth."""
    if isinstance(left, dict) and isinstance(right, dict):
        mine, others = cast("Json", left), cast("Json", right)
        return mine.keys() == others.keys() and all(same(mine[key], others[key]) for key in mine)
    if isinstance(left, list) and isinstance(right, list):
        ours, theirs = cast("list[object]", left), cast("list[object]", right)
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def is_type(value: object, kind: object) -> bool:
    """Whether `value` is of the JSON type `kind`; booleans are no numbers, unknown types pass."""
    if kind == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    types = _TYPES.get(kind) if isinstance(kind, str) else None
    if types is None:
        return True
    return isinstance(value, types) and (kind == "boolean" or not isinstance(value, bool))


def listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def fits(value: object, schema: object) -> bool:
    """Whether `value` satisfies `schema`; never yes where the schema says what is unknown here."""
    return _Judge(schema).fits(value, schema, depth=0)


def _sized(
    size: Callable[[int, int], bool], kind: type[str] | type[list[object]] | type[dict[str, object]]
) -> _Check:
    """Return a check of a length that concerns values of one kind alone."""

    def check(value: object, bound: object) -> bool:
        if not isinstance(value, kind):
            return True
        return isinstance(bound, int) and size(len(cast("Sized", value)), bound)

    return check


def _valued(compare: Callable[[float, float], bool]) -> _Check:
    """Return a check of a number against a bound."""

    def check(value: object, bound: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return True
        return isinstance(bound, int | float) and compare(value, bound)

    return check


def _required(value: object, names: object) -> bool:
    return not isinstance(value, dict) or all(name in value for name in listed(names))


def _unique(value: object, wanted: object) -> bool:
    if not wanted or not isinstance(value, list):
        return True
    items = cast("list[object]", value)
    return not any(same(one, other) for at, one in enumerate(items) for other in items[:at])


_CHECKS: Final[dict[str, _Check]] = {
    "type": lambda value, kinds: (
        any(kind in _TYPES or kind == "integer" for kind in listed(kinds))
        and any(is_type(value, kind) for kind in listed(kinds))
    ),
    "const": same,
    "enum": lambda value, choices: any(same(value, one) for one in listed(choices)),
    "required": _required,
    "minLength": _sized(int.__ge__, str),
    "maxLength": _sized(int.__le__, str),
    "minItems": _sized(int.__ge__, list),
    "maxItems": _sized(int.__le__, list),
    "minProperties": _sized(int.__ge__, dict),
    "maxProperties": _sized(int.__le__, dict),
    "minimum": _valued(lambda value, bound: value >= bound),
    "maximum": _valued(lambda value, bound: value <= bound),
    "exclusiveMinimum": _valued(lambda value, bound: value > bound),
    "exclusiveMaximum": _valued(lambda value, bound: value < bound),
    "multipleOf": _valued(lambda value, step: step > 0 and value % step == 0),
    "uniqueItems": _unique,
}
_CHOICES: Final = ("anyOf", "oneOf")
_INNER: Final = frozenset(
    {"properties", "additionalProperties", "items", "prefixItems", "allOf", "$ref", *_CHOICES}
)
_SAYS_NOTHING: Final = frozenset(
    {
        "$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated",
        "description", "example", "examples", "format", "nullable", "readOnly", "title",
        "writeOnly",
    }
)  # fmt: skip


class _Judge:
    """Judges values by the schemas inside one `root`, which references are looked up in."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._left = _MOST_JUDGEMENTS

    def fits(self, value: object, schema: object, *, depth: int) -> bool:
        if isinstance(schema, bool):
            return schema
        self._left -= 1
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH or self._left < 0:
            return False
        fields = cast("_Fields", schema)
        if fields.get("nullable") is True and value is None:
            return True
        for word, said in fields.items():
            if word in _CHECKS:
                if not _CHECKS[word](value, said):
                    return False
            elif word not in _INNER and word not in _SAYS_NOTHING and not word.startswith("x-"):
                return False
        return all(self._inner(value, fields, depth + 1))

    def _inner(self, value: object, fields: _Fields, depth: int) -> Iterator[bool]:
        if "$ref" in fields:
            yield self.fits(value, referred(self._root, fields["$ref"]), depth=depth)
        for word, enough in (("anyOf", (1, None)), ("oneOf", (1, 1)), ("allOf", (None, None))):
            if word in fields:
                yield self._of(value, listed(fields[word]), enough, depth)
        if isinstance(value, dict):
            yield from self._members(cast("Json", value), fields, depth)
        if isinstance(value, list):
            yield from self._items(cast("list[object]", value), fields, depth)

    def _of(
        self,
        value: object,
        schemas: list[object],
        enough: tuple[int | None, int | None],
        depth: int,
    ) -> bool:
        count = sum(self.fits(value, one, depth=depth) for one in schemas)
        least, most = enough
        return count >= (len(schemas) if least is None else least) and (
            most is None or count <= most
        )

    def _members(self, value: Json, fields: _Fields, depth: int) -> Iterator[bool]:
        known = cast("_Fields", fields.get("properties") or {})
        others = fields.get("additionalProperties", True)
        for name, one in value.items():
            yield self.fits(one, known.get(name, others), depth=depth)

    def _items(self, value: list[object], fields: _Fields, depth: int) -> Iterator[bool]:
        first = listed(fields["prefixItems"]) if "prefixItems" in fields else []
        rest = fields.get("items", True)
        for at, one in enumerate(value):
            yield self.fits(one, first[at] if at < len(first) else rest, depth=depth)


def referred(root: object, reference: object) -> object:
    """Return what a reference inside the root means, else `False`, which nothing fits."""
    found: object = root
    if not isinstance(reference, str) or not reference.startswith("#"):
        return False
    for step in reference.removeprefix("#").split("/")[1:]:
        if not isinstance(found, Mapping):
            return False
        key = step.replace("~1", "/").replace("~0", "~")
        found = cast("_Fields", found).get(key, False)
    return found


def without_nulls(arguments: Json, schema: Json) -> Json:
    """Leave out the fields, however deep, that are null and neither may nor must be there so.

    In strict mode a model has no other way to leave a field out (X53).
    """
    return cast("Json", _without_nulls(arguments, [schema], root=schema))


def _without_nulls(value: object, schemas: list[object], *, root: object) -> object:
    meant = _alternatives(schemas, root=root)
    if isinstance(value, list):
        items = [one["items"] for one in meant if "items" in one]
        return [_without_nulls(it, items, root=root) for it in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("Json", value)
    objects = [one for one in meant if "properties" in one]
    meant = [one for one in objects if _may_be(fields, one, root=root)] or objects
    required = [name for one in meant for name in listed(one.get("required", []))]
    kept: Json = {}
    for name, it in fields.items():
        known = [own[name] for one in meant if name in (own := object_of(one.get("properties")))]
        if it is not None or not known or name in required or may_fit(None, known, root=root):
            kept[name] = _without_nulls(it, known, root=root)
    return kept


def _alternatives(schemas: list[object], *, root: object) -> list[_Fields]:
    """Return the schemas, those that they refer to and those that they choose from, each once."""
    found: dict[int, _Fields] = {}
    left = list(schemas)
    while left:
        schema = left.pop()
        if isinstance(schema, Mapping) and id(cast("_Fields", schema)) not in found:
            fields = found[id(schema)] = cast("_Fields", schema)
            left += [referred(root, fields["$ref"])] if "$ref" in fields else []
            left += [one for word in _CHOICES for one in listed(fields.get(word, []))]
    return list(found.values())


def _may_be(value: Json, schema: _Fields, *, root: object) -> bool:
    """Whether neither what the schema requires nor its constants and types are of other objects."""
    return _required(value, schema.get("required", [])) and all(
        may_fit(value[name], [own], root=root)
        for name, own in object_of(schema.get("properties")).items()
        if value.get(name) is not None
    )


def may_fit(value: object, schemas: list[object], *, root: object) -> bool:
    """Whether `value` is of the type of one of the schemas, and what its constants allow."""
    return any(one is not False and not isinstance(one, Mapping) for one in schemas) or any(
        (value is None and one.get("nullable") is True)
        or (
            all(_CHECKS[word](value, one[word]) for word in ("const", "enum") if word in one)
            and any(is_type(value, kind) for kind in listed(one.get("type")))
        )
        for one in _alternatives(schemas, root=root)
        if "$ref" not in one and not any(word in one for word in _CHOICES)
    )
