"""Classes of a source that an argument can be: what fields or values they have."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from eunoe.errors import ToolTypeUnsupported
from eunoe.tools.schema.docstrings import Docs, read_docs
from eunoe.tools.schema.names import Names
from eunoe.tools.schema.values import Scalar, constant, literal

Classes: TypeAlias = Mapping[str, ast.ClassDef]

_ENUMS: Final = frozenset({"Enum", "IntEnum", "StrEnum"})
_RECORDS: Final = frozenset({"BaseModel", "TypedDict"})
_BOUNDS: Final = frozenset(
    {"ge", "gt", "le", "lt", "multiple_of", "pattern", "min_length", "max_length"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a class, or an argument: `default` is null where it has none or cannot be told."""

    annotation: ast.expr
    required: bool = True
    description: str | None = None
    default: object = None
    alias: str | None = None
    constraints: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])

    @classmethod
    def read(cls, annotation: ast.expr, default: ast.expr | None, names: Names) -> "Field":
        """Return what an annotation, `Annotated` or not, and a default or `Field` say together."""
        found = cls(annotation=annotation)
        if isinstance(annotation, ast.Subscript) and names.of(annotation.value) == "Annotated":
            inner = annotation.slice
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            found = cls(annotation=parts[0])
            for part in parts[1:]:
                found = _noted(found, part, names)
        return found if default is None else _defaulted(found, default, names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a class is made of: the `values` of an enumeration, else `fields` by JSON name."""

    fields: Mapping[str, Field] = field(default_factory=dict[str, Field])
    values: Sequence[Scalar] = ()
    description: str | None = None


def defined_classes(module: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}


def shape_of(node: ast.ClassDef, classes: Classes, names: Names) -> Shape:
    """Return what an instance is made of; raise `ToolTypeUnsupported` for any other class."""
    line = _line(node, classes, names)
    bases = {names.of(base) for one in line for base in one.bases}
    docs = read_docs(ast.get_docstring(node))
    if bases & _ENUMS:
        return Shape(values=_members(node, texts="StrEnum" in bases), description=docs.short)
    if not bases & _RECORDS and not any(_is_dataclass(one, names) for one in line):
        raise ToolTypeUnsupported(
            f"The class `{node.name}` has no fields that can be told to a model; make it a "
            "dataclass, a TypedDict, an Enum or a Pydantic model."
        )
    found: dict[str, Field] = {}
    for one in line:
        found |= _fields(one, names, docs)
    return Shape(
        fields={field.alias or name: field for name, field in found.items()}, description=docs.short
    )


def _line(node: ast.ClassDef, classes: Classes, names: Names) -> list[ast.ClassDef]:
    """Return the class and those of the source that it is made from, the eldest first."""
    line: list[ast.ClassDef] = []
    todo = [node]
    while todo:
        one = todo.pop()
        if one not in line:
            line.insert(0, one)
            todo += [classes[base] for base in map(names.of, one.bases) if base in classes]
    return line


def _is_dataclass(node: ast.ClassDef, names: Names) -> bool:
    calls = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
    return any(names.of(one) == "dataclass" for one in calls)


def _fields(node: ast.ClassDef, names: Names, docs: Docs) -> dict[str, Field]:
    total = not any(word.arg == "total" and constant(word.value) is False for word in node.keywords)
    found: dict[str, Field] = {}
    for line in node.body:
        match line:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                asked = _outer(line.annotation, names)
                if asked == "ClassVar":
                    continue
                one = Field.read(line.annotation, line.value, names)
                required = (
                    one.required and asked != "NotRequired" and (total or asked == "Required")
                )
                told = one.description or docs.of(name)
                found[name] = replace(one, required=required, description=told)
            case _:
                pass
    return found


def _outer(annotation: ast.expr, names: Names) -> str:
    return names.of(annotation.value if isinstance(annotation, ast.Subscript) else annotation)


def _noted(found: Field, note: ast.expr, names: Names) -> Field:
    """Return the field with what one note of `Annotated` adds: a text, or a `Field`."""
    match note:
        case ast.Constant(value=str() as text):
            return replace(found, description=text)
        case ast.Call() if names.of(note.func) == "Field":
            return _said(found, note)
        case _:
            return found


def _defaulted(found: Field, default: ast.expr, names: Names) -> Field:
    match default:
        case ast.Call() if names.of(default.func) in {"Field", "field"}:
            return _said(found, default)
        case ast.Constant(value=value) if value is ...:
            return found
        case _:
            return replace(found, required=False, default=literal(default))


def _said(found: Field, call: ast.Call) -> Field:
    """Return the field with what `Field(…)` says of it; an unknown word says nothing."""
    words = {word.arg: word.value for word in call.keywords if word.arg}
    first = call.args[0] if call.args else words.get("default")
    given = first is not None and not (isinstance(first, ast.Constant) and first.value is ...)
    described, alias = constant(words.get("description")), constant(words.get("alias"))
    bounds = {word: constant(node) for word, node in words.items() if word in _BOUNDS}
    return replace(
        found,
        required=found.required and not given and "default_factory" not in words,
        default=literal(first) if given else found.default,
        description=str(described) if described else found.description,
        alias=str(alias) if alias else found.alias,
        constraints={
            **found.constraints,
            **{word: value for word, value in bounds.items() if value is not None},
        },
    )


def _members(node: ast.ClassDef, *, texts: bool) -> list[Scalar]:
    """Return the values of an enumeration; `auto()` counts, or is the name in small letters."""
    found: list[Scalar] = []
    for line in node.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.startswith("_"):
                found.append(_member(name, value, found, texts=texts))
            case _:
                pass
    if not found:
        raise ToolTypeUnsupported(f"The enumeration `{node.name}` has no members.")
    return found


def _member(name: str, value: ast.expr, before: Sequence[Scalar], *, texts: bool) -> Scalar:
    match value:
        case ast.Call(func=ast.Name(id="auto") | ast.Attribute(attr="auto")):
            numbers = [one for one in before if isinstance(one, int)]
            return name.lower() if texts else max(numbers, default=0) + 1
        case _:
            found = constant(value)
            if found is None:
                raise ToolTypeUnsupported(
                    f"The value of the enumeration's member `{name}` must be a text or a number."
                )
            return found
