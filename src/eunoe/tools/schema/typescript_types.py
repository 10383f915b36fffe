"""Types of TypeScript as JSON Schemas, read from the syntax alone (X18).

Only the source itself is looked at: a name means an interface, an alias or an enumeration that it
declares. Nothing of it is run.
"""

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from eunoe.domain.messages import Json
from eunoe.errors import ToolTypeUnsupported
from eunoe.tools.schema.types import LARGEST, choices
from eunoe.tools.schema.typescript_source import annotation_of, jsdoc, text_of
from eunoe.tools.schema.values import Scalar, constant

if TYPE_CHECKING:
    from tree_sitter import Node

_SIMPLE: Final[Mapping[str, Json]] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "any": {},
    "unknown": {},
}
_LISTS: Final = frozenset({"Array", "ReadonlyArray"})
_TRUTHS: Final = {"true": True, "false": False}


class TypescriptTypes:
    """The types of one source. `defs` holds what refers to itself, after use."""

    def __init__(self, declared: Mapping[str, "Node"]) -> None:
        self._declared = declared
        self._open: list[str] = []
        self._left = LARGEST
        self.defs: dict[str, Json] = {}

    def schema(self, node: "Node") -> Json:
        """Return the schema of a type; raise `ToolTypeUnsupported`."""
        self._left -= 1
        if self._left < 0:
            raise ToolTypeUnsupported("The types of the tool's arguments are too many to describe.")
        kinds: dict[str, Callable[[Node], Json]] = {
            "predefined_type": lambda one: dict(_SIMPLE[text_of(one)]),
            "literal_type": self._union,
            "union_type": self._union,
            "intersection_type": lambda one: self._merged(one, one.named_children),
            "array_type": lambda one: self._list(one.named_children[0]),
            "readonly_type": lambda one: self.schema(one.named_children[0]),
            "parenthesized_type": lambda one: self.schema(one.named_children[0]),
            "tuple_type": self._tuple,
            "object_type": self._object,
            "interface_body": self._object,
            "type_identifier": self._named,
            "generic_type": self._generic,
        }
        known = node.type != "predefined_type" or text_of(node) in _SIMPLE
        return kinds.get(node.type, _refuse)(node) if known else _refuse(node)

    def is_optional(self, node: "Node") -> bool:
        """Whether an argument or a field may be left out: by its `?`, or since it is undefined."""
        if any(one.type == "?" for one in node.children) or node.type == "optional_parameter":
            return True
        annotation = annotation_of(node)
        while annotation is not None and annotation.type == "type_identifier":
            declared = self._declared.get(text_of(annotation))
            inner = None if declared is None else declared.child_by_field_name("value")
            annotation = None if inner == annotation else inner
        return "undefined" in map(text_of, () if annotation is None else _members(annotation))

    def _union(self, node: "Node") -> Json:
        """Return any one of them; what may be left out is for others to say."""
        values: list[Scalar] = []
        found: list[Json] = []
        for member in _members(node):
            text = text_of(member)
            if text == "undefined":
                continue
            if member.type == "literal_type" and text != "null":
                values.append(_value(member))
                continue
            one: Json = {"type": "null"} if text == "null" else self.schema(member)
            found += [part for part in one.get("anyOf", [one]) if part not in found]
        if values:
            found.insert(0, choices(values))
        if {} in found or not found:
            return {} if found else _refuse(node)
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _list(self, of: "Node") -> Json:
        return {"type": "array", "items": self.schema(of)}

    def _tuple(self, node: "Node") -> Json:
        members = [self.schema(annotation_of(one) or one) for one in node.named_children]
        exact: Json = {"minItems": len(members), "maxItems": len(members)}
        return {"type": "array", **({"prefixItems": members} if members else {}), **exact}

    def _object(self, body: "Node") -> Json:
        """Return the schema of `{…}`, as of an interface's body."""
        whole: Json = {"type": "object", "properties": {}, "required": []}
        comment = ""
        for node in body.named_children:
            match node.type:
                case "comment":
                    comment = text_of(node)
                    continue
                case "property_signature":
                    self._property(node, comment, whole)
                case "index_signature":
                    inner = annotation_of(node)
                    whole["additionalProperties"] = (inner and self.schema(inner)) or True
                case _:
                    _refuse(node)
            comment = ""
        return whole

    def _property(self, node: "Node", comment: str, whole: Json) -> None:
        named = node.child_by_field_name("name")
        if named is None or named.type == "computed_property_name":
            _refuse(node)
        name = text_of(named).strip("\"'")
        inner, told = annotation_of(node), jsdoc(comment).text
        schema = {} if inner is None else self.schema(inner)
        whole["properties"][name] = schema | ({"description": told} if told else {})
        if not self.is_optional(node):
            whole["required"].append(name)

    def _merged(self, at: "Node", parts: Sequence["Node"]) -> Json:
        """Return an object with the properties of all."""
        whole: Json = {"type": "object", "properties": {}, "required": []}
        for one in map(self.schema, parts):
            if one.get("type") != "object":
                _refuse(at)
            whole = {
                **whole,
                **one,
                "properties": whole["properties"] | one.get("properties", {}),
                "required": [*whole["required"], *one.get("required", ())],
            }
        return whole

    def _named(self, node: "Node") -> Json:
        """Return the schema of a declared type; one that holds itself is referred to."""
        name = text_of(node)
        declared = self._declared.get(name)
        if declared is None or declared.child_by_field_name("type_parameters") is not None:
            _refuse(node)
        reference = {"$ref": f"#/$defs/{name}"}
        if name in self._open:
            self.defs.setdefault(name, {})
            return reference
        self._open.append(name)
        try:
            schema = self._declaration(declared)
        finally:
            self._open.pop()
        if name not in self.defs:
            return schema
        if schema == reference:
            _refuse(node)
        self.defs[name] = schema
        return reference

    def _declaration(self, node: "Node") -> Json:
        body, value = node.child_by_field_name("body"), node.child_by_field_name("value")
        if node.type == "enum_declaration" and body is not None:
            return choices(_values(body))
        if value is not None:
            return self.schema(value)
        if body is None:
            _refuse(node)
        clauses = [one for one in node.named_children if one.type == "extends_type_clause"]
        bases = [one for clause in clauses for one in clause.named_children]
        return self._merged(node, [*bases, body]) if bases else self._object(body)

    def _generic(self, node: "Node") -> Json:
        name = text_of(node.child_by_field_name("name"))
        arguments = node.child_by_field_name("type_arguments")
        inner = [] if arguments is None else arguments.named_children
        match inner:
            case [one] if name in _LISTS:
                return self._list(one)
            case [key, value] if name == "Record":
                return self._record(node, self.schema(key), self.schema(value))
            case _:
                return _refuse(node)

    def _record(self, node: "Node", key: Json, value: Json) -> Json:
        names: list[Scalar] = key.get("enum", [])
        if names:
            properties = {str(name): value for name in names}
            return {"type": "object", "properties": properties, "required": list(properties)}
        if key.get("type") not in {"string", "number"}:
            _refuse(node)
        return {"type": "object", "additionalProperties": value or True}


def typescript_constant(node: "Node | None") -> Scalar | None:
    """Return the text, number or boolean that is written out; null for everything else."""
    text = text_of(node)
    if text in _TRUTHS:
        return _TRUTHS[text]
    try:
        with warnings.catch_warnings(action="ignore"):
            # Both languages write these alike, but for what comes to nothing here.
            return constant(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _value(node: "Node") -> Scalar:
    value = typescript_constant(node)
    return _refuse(node) if value is None else value


def _values(body: "Node") -> list[Scalar]:
    """Return the values of an enumeration, which counts where it does not say."""
    found: list[Scalar] = []
    for node in body.named_children:
        given = node.child_by_field_name("value")
        last = found[-1] if found else -1
        if given is not None:
            found.append(_value(given))
        elif node.type != "comment":
            found.append(last + 1 if isinstance(last, int) else _refuse(node))
    return found or [_refuse(body)]


def _members(node: "Node") -> list["Node"]:
    """Return the members of `A | B | C`, however many."""
    found: list[Node] = []
    left = [node]
    while left:
        one = left.pop()
        if one.type in {"union_type", "parenthesized_type"}:
            left += reversed(one.named_children)
        else:
            found.append(one)
    return found


def _refuse(node: "Node") -> NoReturn:
    raise ToolTypeUnsupported(
        f"The type `{text_of(node)}` cannot be told to a model. Use string, number, boolean, "
        "arrays, Record<string, …>, unions and literals of those, or an interface, type or enum "
        "that the source itself declares, or give a `json_schema`."
    )
