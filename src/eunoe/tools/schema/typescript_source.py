"""The source of a tool in TypeScript, read and never run: what it exports, and its types (X19)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from eunoe.errors import ToolFunctionMissing, ToolSourceInvalid
from eunoe.tools.schema.docstrings import Docs
from eunoe.tools.schema.source import LONGEST

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES: Final = frozenset({"interface_declaration", "type_alias_declaration", "enum_declaration"})
_FUNCTIONS: Final = frozenset({"arrow_function", "function_expression"})
_VARIABLES: Final = frozenset({"lexical_declaration", "variable_declaration"})
_PARAMETER: Final = re.compile(
    r"@(?:param|arg|argument)\s+(?:\{[^}]*\}\s*)?(?:\[\s*([\w$.]+)[^\]]*\]|([\w$.]+))\s*-?\s*(.*)",
    re.DOTALL,
)
_MARGIN: Final = re.compile(r"^[ \t]*\*? ?", re.MULTILINE)
_TAG: Final = re.compile(r"^(?=@\w)", re.MULTILINE)


def typescript(source: str) -> "Node":
    """Return the syntax of the source; raise `ToolSourceInvalid` naming the line."""
    # Loaded by the first source in TypeScript.
    import tree_sitter_typescript as grammar  # noqa: PLC0415 -- rarely needed
    from tree_sitter import Language, Parser  # noqa: PLC0415 -- rarely needed

    if len(source) > LONGEST:
        raise ToolSourceInvalid(f"The source is longer than {LONGEST} characters.")
    language = Language(grammar.language_typescript())
    root = Parser(language).parse(source.encode("utf-8", "replace")).root_node
    if root.has_error:
        raise ToolSourceInvalid(
            f"The source cannot be read as TypeScript: line {_line(root)}. Correct it; where it is "
            "right, give a `json_schema`."
        )
    return root


def text_of(node: "Node | None") -> str:
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def annotation_of(node: "Node") -> "Node | None":
    """Return the type that is written after a name."""
    annotation = node.child_by_field_name("type")
    return None if annotation is None else annotation.named_children[0]


def jsdoc(comment: str) -> Docs:
    """Return what a comment says, if it is JSDoc: its text, and what stands after each `@param`."""
    if not comment.startswith("/**"):
        return Docs()
    text, *tags = _TAG.split(_MARGIN.sub("", comment[3:-2]).strip())
    found = [match for tag in tags if (match := _PARAMETER.match(tag.strip()))]
    arguments = {one[1] or one[2]: " ".join(one[3].split()) for one in found}
    return Docs(text=text.strip() or None, arguments=arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function with the comment before it, empty where there is none."""

    name: str
    parameters: Sequence["Node"]
    comment: str


class Module:
    """What one source declares at its top level; `types` are those with names of their own."""

    def __init__(self, root: "Node") -> None:
        self.types: dict[str, Node] = {}
        self._functions: dict[str, Function] = {}
        self._exported: dict[str, str] = {}
        comment = ""
        for node in root.named_children:
            if node.type == "comment":
                comment = text_of(node) if text_of(node).startswith("/**") else comment
                continue
            self._read(node, comment)
            comment = ""

    def function(self, name: str | None) -> Function:
        """Return the exported function of that name, else the last one; raise where none is."""
        exported = {known: one for known, one in self._exported.items() if one in self._functions}
        if not exported:
            raise ToolFunctionMissing(
                "The source exports no function that has a name; write the tool as "
                "`export function name(…)`."
            )
        known = name if name in exported else next(reversed(exported))
        return replace(self._functions[exported[known]], name=known)

    def _read(self, node: "Node", comment: str) -> None:
        if node.type != "export_statement":
            self._declare(node, comment)
            return
        declaration = node.child_by_field_name("declaration")
        if declaration is not None:
            self._exported |= {name: name for name in self._declare(declaration, comment)}
        value = node.child_by_field_name("value")
        if value is not None and value.type == "identifier":
            self._exported[text_of(value)] = text_of(value)
        for clause in node.named_children:
            for one in clause.named_children if clause.type == "export_clause" else ():
                local = text_of(one.child_by_field_name("name"))
                self._exported[text_of(one.child_by_field_name("alias")) or local] = local

    def _declare(self, node: "Node", comment: str) -> list[str]:
        """Keep what is declared; return the names of functions."""
        name = text_of(node.child_by_field_name("name"))
        if node.type in _TYPES:
            self.types[name] = node
        made: Mapping[str, Node] = {}
        if node.type == "function_declaration":
            made = {name: node}
        elif node.type in _VARIABLES:
            made = {
                text_of(one.child_by_field_name("name")): value
                for one in node.named_children
                if (value := one.child_by_field_name("value")) and value.type in _FUNCTIONS
            }
        for known, function in made.items():
            alone = function.child_by_field_name("parameter")
            listed = function.child_by_field_name("parameters")
            nodes = [alone] if listed is None else listed.named_children
            parameters = [one for one in nodes if one is not None and one.type != "comment"]
            self._functions[known] = Function(name=known, parameters=parameters, comment=comment)
        return list(made)


def _line(node: "Node") -> int:
    """Return the line of the first thing that cannot be read."""
    while not node.is_error and not node.is_missing:
        inner = next((one for one in node.children if one.has_error or one.is_missing), None)
        if inner is None:
            break
        node = inner
    return node.start_point[0] + 1
