"""Python annotations as JSON Schemas, read from the syntax alone (X18).

Only the source itself is looked at: a name means a type that JSON has, or a class or an alias
that the source defines. Nothing of it is run.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

from eunoe.domain.messages import Json
from eunoe.errors import ToolTypeUnsupported
from eunoe.tools.schema.classes import Field, Shape, defined_classes, shape_of
from eunoe.tools.schema.names import Names
from eunoe.tools.schema.values import Scalar, constant

_SIMPLE: Final[Mapping[str, Json]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "NoneType": {"type": "null"},
    "Any": {},
    "object": {},
}
_LISTS: Final = frozenset(
    {
        "list", "List", "Sequence", "Iterable", "Collection", "MutableSequence",
        "set", "Set", "frozenset", "FrozenSet", "AbstractSet", "MutableSet",
    }
)  # fmt: skip
_TUPLES: Final = frozenset({"tuple", "Tuple"})
_MAPS: Final = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_TRANSPARENT: Final = frozenset({"Required", "NotRequired", "ReadOnly", "Final"})
_CONSTRAINTS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
_LENGTHS: Final = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
_JSON_NAMES: Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
}
LARGEST: Final = 2_000
"""Types that one schema may be made of: classes that name each other twice grow without end."""


class Types:
    """The types of one source. `defs` holds what refers to itself, after use."""

    def __init__(self, module: ast.Module) -> None:
        self._names = Names(module)
        self._classes = defined_classes(module)
        self._open: list[str] = []
        self._left = LARGEST
        self.defs: dict[str, Json] = {}

    def schema(self, node: ast.expr) -> Json:
        """Return the schema of an annotation; raise `ToolTypeUnsupported`."""
        self._left -= 1
        if self._left < 0:
            raise ToolTypeUnsupported("The types of the tool's arguments are too many to describe.")
        match node:
            case ast.Constant(value=None):
                return {"type": "null"}
            case ast.Constant(value=str() as text):
                return self.schema(_parsed(text))
            case ast.BinOp(op=ast.BitOr()):
                return self._union(_alternatives(node))
            case ast.Name() | ast.Attribute():
                return self._bare(node)
            case ast.Subscript():
                return self._generic(node)
            case _:
                return _refuse(node)

    def field(self, field: Field) -> Json:
        """Return the schema of a field or argument, with its description, bounds and default."""
        schema = dict(self.schema(field.annotation))
        for word, value in field.constraints.items():
            schema |= _constraint(word, value, schema)
        if field.description:
            schema["description"] = field.description
        if field.default is not None:
            schema["default"] = field.default
        return schema

    def read(self, annotation: ast.expr, default: ast.expr | None) -> Field:
        """Return an argument as a field: what `Annotated` and `Field` say of it."""
        return Field.read(annotation, default, self._names)

    def _bare(self, node: ast.Name | ast.Attribute) -> Json:
        name = self._names.of(node)
        found = self._classes.get(name)
        if found is not None:
            return self._class(name, found)
        alias = self._names.alias(name)
        if alias is not None:
            return self.schema(alias)
        if name in _LISTS or name in _TUPLES:
            return {"type": "array", "items": {"type": "string"}}
        if name in _MAPS:
            return {"type": "object"}
        if name not in _SIMPLE:
            _refuse(node)
        return dict(_SIMPLE[name])

    def _generic(self, node: ast.Subscript) -> Json:
        name, inner = self._names.of(node.value), _inner(node)
        if name in _LISTS:
            return {"type": "array", "items": self.schema(_only(node, inner))}
        if name in _TUPLES:
            return self._tuple(inner)
        if name in _MAPS:
            return self._map(node, inner)
        if name in _TRANSPARENT:
            return self.schema(_only(node, inner))
        special: dict[str, Callable[[], Json]] = {
            "Optional": lambda: self._union([*inner, ast.Constant(value=None)]),
            "Union": lambda: self._union(inner),
            "Literal": lambda: self._literal(node, inner),
            "Annotated": lambda: self.field(self.read(node, None)),
        }
        if name not in special:
            _refuse(node)
        return special[name]()

    def _union(self, nodes: Sequence[ast.expr]) -> Json:
        found: list[Json] = []
        for node in nodes:
            one = self.schema(node)
            found += [part for part in one.get("anyOf", [one]) if part not in found]
        if {} in found:
            return {}
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _tuple(self, inner: Sequence[ast.expr]) -> Json:
        """Return a list of any length for `tuple[T, ...]`, else one of just these members."""
        match inner:
            case [item, ast.Constant(value=value)] if value is ...:
                return {"type": "array", "items": self.schema(item)}
            case [_, *_]:
                members = [self.schema(one) for one in inner]
            case _:
                return {"type": "array", "maxItems": 0}
        return {
            "type": "array",
            "prefixItems": members,
            "minItems": len(members),
            "maxItems": len(members),
        }

    def _map(self, node: ast.Subscript, inner: Sequence[ast.expr]) -> Json:
        match inner:
            case [named, valued]:
                key, value = self.schema(named), self.schema(valued)
            case _:
                _refuse(node)
        if key not in ({}, {"type": "string"}):
            raise ToolTypeUnsupported(
                f"`{ast.unparse(node)}` has keys that are no texts; in JSON they are, so write "
                "`dict[str, …]`."
            )
        return {"type": "object", "additionalProperties": value or True}

    def _literal(self, node: ast.expr, inner: Sequence[ast.expr]) -> Json:
        null = [one for one in inner if isinstance(one, ast.Constant) and one.value is None]
        values = [constant(one) for one in inner if one not in null]
        known = [value for value in values if value is not None]
        if len(known) < len(values) or not known:
            _refuse(node)
        return {"anyOf": [choices(known), {"type": "null"}]} if null else choices(known)

    def _class(self, name: str, node: ast.ClassDef) -> Json:
        """Return the schema of a class where it is used; one that holds itself is referred to."""
        if name in self._open:
            self.defs.setdefault(name, {})
            return {"$ref": f"#/$defs/{name}"}
        self._open.append(name)
        try:
            schema = self._shape(shape_of(node, self._classes, self._names))
        finally:
            self._open.pop()
        if name not in self.defs:
            return schema
        self.defs[name] = schema
        return {"$ref": f"#/$defs/{name}"}

    def _shape(self, shape: Shape) -> Json:
        told: Json = {"description": shape.description} if shape.description else {}
        if shape.values:
            return choices(shape.values) | told
        properties = {name: self.field(field) for name, field in shape.fields.items()}
        required = [name for name, field in shape.fields.items() if field.required]
        return {"type": "object", "properties": properties, "required": required, **told}


def choices(values: Sequence[Scalar]) -> Json:
    """Return the schema of one of `values`, with their type where they have one."""
    kinds = {_JSON_NAMES.get(type(value)) for value in values}
    if len(kinds) == 1 and None not in kinds:
        return {"type": kinds.pop(), "enum": list(values)}
    return {"enum": list(values)}


def without_null(schema: Json) -> Json | None:
    """Return what an optional argument is when it is given; null for one that is not optional."""
    if "anyOf" in schema and {"type": "null"} in schema["anyOf"]:
        rest = [one for one in schema["anyOf"] if one != {"type": "null"}]
        others = {key: value for key, value in schema.items() if key != "anyOf"}
        return (rest[0] if len(rest) == 1 else {"anyOf": rest}) | others
    return None


def _constraint(word: str, value: object, schema: Json) -> Json:
    if word in _CONSTRAINTS:
        return {_CONSTRAINTS[word]: value}
    lengths = _LENGTHS.get(str(schema.get("type")))
    return {} if lengths is None else {lengths[word == "max_length"]: value}


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Return the members of `A | B | C`, however many."""
    found: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]


def _inner(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _only(node: ast.expr, inner: Sequence[ast.expr]) -> ast.expr:
    if len(inner) != 1:
        _refuse(node)
    return inner[0]


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ToolTypeUnsupported(f"The type `{text}` cannot be read.") from error


def _refuse(node: ast.expr) -> NoReturn:
    raise ToolTypeUnsupported(
        f"The type `{ast.unparse(node)}` cannot be told to a model. Use str, int, float, bool, "
        "list[…], dict[str, …], tuple[…], Literal[…], an Optional or union of those, or a "
        "dataclass, TypedDict, Enum or Pydantic model that the source itself defines."
    )
