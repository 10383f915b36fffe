"""Sources of tools, and what a model is told of each: the arguments, or why there are none.

An argument that is described as `A.` and required is written as its schema alone.
"""

from dataclasses import dataclass
from typing import Any

from eunoe.errors import (
    EunoeError,
    ToolArgumentUnclear,
    ToolDocstringMissing,
    ToolFunctionMissing,
    ToolSourceInvalid,
    ToolTypeUnsupported,
)

IMPORTS = """
from __future__ import annotations
import enum
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum, auto
from typing import Annotated, Any, ClassVar, Dict, List, Literal, NewType, NotRequired, Optional
from typing import Required, Set, Tuple, TypedDict, Union
from typing import List as Many
from pydantic import BaseModel, Field
"""
TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
FLAG: dict[str, Any] = {"type": "boolean"}
NULL: dict[str, Any] = {"type": "null"}


@dataclass(frozen=True)
class Good:
    """An annotation of the argument `a`, after `before`, and the schema that comes of it."""

    annotation: str
    schema: dict[str, Any]
    before: str = ""
    default: str = ""
    optional: bool = False

    @property
    def source(self) -> str:
        default = f" = {self.default}" if self.default else ""
        return (
            f"{IMPORTS}\n{self.before}\n"
            f"def tool(a: {self.annotation}{default}):\n"
            '    """Do it.\n\n    Args:\n        a: A.\n    """\n'
        )


@dataclass(frozen=True)
class Bad:
    """A source that tells nothing, the error, and words that its message has."""

    source: str
    error: type[EunoeError]
    says: str


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def record(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


_COLOR = 'class Color(str, Enum):\n    RED = "red"\n    BLUE = "blue"\n'
_NODE = "class Node(BaseModel):\n    name: str\n    children: list[Node] = []\n"
_NODE_REF = {"$ref": "#/$defs/Node"}

GOOD = {
    "text": Good("str", TEXT),
    "whole number": Good("int", WHOLE),
    "number": Good("float", NUMBER),
    "truth value": Good("bool", FLAG),
    "null": Good("None", NULL),
    "anything": Good("Any", {}),
    "anything, by module": Good("t.Any", {}),
    "object": Good("object", {}),
    "in quotes": Good("'list[int]'", array(WHOLE)),
    "bare list": Good("list", array(TEXT)),
    "list": Good("list[int]", array(WHOLE)),
    "old list": Good("List[float]", array(NUMBER)),
    "renamed list": Good("Many[int]", array(WHOLE)),
    "list by module": Good("t.List[int]", array(WHOLE)),
    "sequence": Good("Sequence[str]", array(TEXT)),
    "list of lists": Good("list[list[bool]]", array(array(FLAG))),
    "set": Good("set[int]", array(WHOLE)),
    "old set": Good("Set[str]", array(TEXT)),
    "bare tuple": Good("tuple", array(TEXT)),
    "tuple of any length": Good("tuple[int, ...]", array(WHOLE)),
    "empty tuple": Good("tuple[()]", {"type": "array", "maxItems": 0}),
    "tuple": Good(
        "Tuple[int, str]",
        {"type": "array", "prefixItems": [WHOLE, TEXT], "minItems": 2, "maxItems": 2},
    ),
    "bare dict": Good("dict", {"type": "object"}),
    "dict": Good("Dict[str, int]", {"type": "object", "additionalProperties": WHOLE}),
    "dict of anything": Good("dict[str, Any]", {"type": "object", "additionalProperties": True}),
    "mapping": Good(
        "Mapping[str, list[int]]", {"type": "object", "additionalProperties": array(WHOLE)}
    ),
    "optional": Good("Optional[int]", WHOLE, optional=True),
    "optional with a default": Good(
        "Optional[int]", WHOLE | {"default": 3}, default="3", optional=True
    ),
    "or null": Good("int | None", WHOLE, default="None", optional=True),
    "text by default null": Good("str", TEXT, default="None", optional=True),
    "union": Good("Union[int, str]", {"anyOf": [WHOLE, TEXT]}),
    "union of three or null": Good(
        "int | str | bool | None", {"anyOf": [WHOLE, TEXT, FLAG]}, optional=True
    ),
    "union of the same": Good("Union[str, 'str']", TEXT),
    "union with anything": Good("Union[str, Any]", {}),
    "null inside": Good("list[int | None]", array({"anyOf": [WHOLE, NULL]})),
    "choice": Good('Literal["a", "b"]', {"type": "string", "enum": ["a", "b"]}),
    "choice of numbers": Good("Literal[1, -2]", {"type": "integer", "enum": [1, -2]}),
    "mixed choice": Good('Literal["a", 1, True]', {"enum": ["a", 1, True]}),
    "choice or null": Good(
        'Literal["a", None]', {"type": "string", "enum": ["a"]}, optional=True
    ),
    "default": Good("int", WHOLE | {"default": -5}, default="-5", optional=True),
    "default list": Good(
        "list[str]", array(TEXT) | {"default": ["x"]}, default='["x"]', optional=True
    ),
    "default that is computed": Good("float", NUMBER, default="now()", optional=True),
    "described by a note": Good('Annotated[str, "Said here."]', TEXT | {"description": "Said here."}),
    "described by a field": Good(
        'Annotated[int, Field(description="Said here.", ge=1, lt=9)]',
        WHOLE | {"description": "Said here.", "minimum": 1, "exclusiveMaximum": 9},
    ),
    "default field": Good(
        'str', TEXT | {"description": "F.", "minLength": 2},
        default='Field(..., description="F.", min_length=2)',
    ),
    "alias": Good("Ids", array(WHOLE), before="Ids = list[int]"),
    "declared alias": Good("Ids", array(WHOLE), before="Ids: t.TypeAlias = 'list[int]'"),
    "new type": Good("UserId", TEXT, before='UserId = NewType("UserId", str)'),
    "enumeration": Good("Color", {"type": "string", "enum": ["red", "blue"]}, before=_COLOR),
    "counted enumeration": Good(
        "Level",
        {"type": "integer", "enum": [1, 5, 6]},
        before="class Level(IntEnum):\n    LOW = auto()\n    MID = 5\n    TOP = enum.auto()\n",
    ),
    "enumeration of names": Good(
        "Kind",
        {"type": "string", "enum": ["one", "TWO"]},
        before='class Kind(StrEnum):\n    ONE = auto()\n    OTHER = "TWO"\n',
    ),
    "dataclass": Good(
        "Place",
        record(["x"], x=NUMBER | {"description": "How far."}, tags=array(TEXT)),
        before=(
            '@dataclass(frozen=True)\nclass Place:\n    """P.\n\n    Attributes:\n'
            '        x: How far.\n    """\n    x: float\n'
            "    tags: list[str] = field(default_factory=list)\n    of: ClassVar[int] = 1\n"
        ),
    ),
    "typed dict": Good(
        "Card",
        record(["name"], name=TEXT, size=WHOLE),
        before="class Card(TypedDict):\n    name: str\n    size: NotRequired[int]\n",
    ),
    "loose typed dict": Good(
        "Card",
        record(["name"], name=TEXT, size=WHOLE),
        before="class Card(TypedDict, total=False):\n    name: Required[str]\n    size: int\n",
    ),
    "model": Good(
        "Order",
        record(
            ["id", "color"],
            id=TEXT | {"description": "Id.", "pattern": "^o"},
            count=WHOLE | {"minimum": 0, "default": 1},
            color={"type": "string", "enum": ["red", "blue"]},
            lines=array(record(["n"], n=WHOLE)),
            note={"anyOf": [TEXT, NULL]},
        ),
        before=(
            f"{_COLOR}class Line(BaseModel):\n    n: int\n"
            'class Order(BaseModel):\n    id: str = Field(description="Id.", pattern="^o")\n'
            "    count: int = Field(1, ge=0)\n    color: Color\n"
            "    lines: list[Line] = Field(default_factory=list)\n"
            "    note: Optional[str] = None\n    _own: int = 0\n"
        ),
    ),
    "model made of another": Good(
        "Child",
        record(["a", "b"], a=TEXT, b=WHOLE),
        before="class Base(BaseModel):\n    a: int\n    b: int\nclass Child(Base):\n    a: str\n",
    ),
    "field under another name": Good(
        "Card",
        record(["fullName"], fullName=TEXT),
        before='class Card(BaseModel):\n    name: str = Field(alias="fullName")\n',
    ),
    "model that holds itself": Good("Node", _NODE_REF, before=_NODE),
    "list of models that hold themselves": Good("list[Node]", array(_NODE_REF), before=_NODE),
}  # fmt: skip


def _tool(signature: str, *, before: str = "", doc: str = "Do it.\n\nArgs:\n  a: A.") -> str:
    return f'{IMPORTS}\n{before}\ndef tool({signature}):\n    """{doc}"""\n'


BAD = {
    "no Python": Bad("def tool(:\n", ToolSourceInvalid, "line 1"),
    "nothing": Bad("", ToolFunctionMissing, "def name"),
    "a NUL": Bad("def tool():\n    '\0'\n", ToolSourceInvalid, "source"),
    "too deep": Bad("x = " + "(" * 5_000, ToolSourceInvalid, "source"),
    "too long": Bad("#" * 200_001, ToolSourceInvalid, "200000"),
    "only a class": Bad(
        'class A:\n    def run(self):\n        """Do."""\n', ToolFunctionMissing, "top level"
    ),
    "no docstring": Bad("def tool(a: int):\n    pass\n", ToolDocstringMissing, "triple quotes"),
    "a help stands last": Bad(
        'def tool():\n    """Do."""\n\n\ndef helps():\n    ...\n',
        ToolDocstringMissing,
        "another function is the tool, write it last",
    ),
    "a comment is none": Bad("def tool():\n    # Do it.\n    pass", ToolDocstringMissing, "tool"),
    "no type": Bad(_tool("a"), ToolArgumentUnclear, "`a: str`"),
    "no description": Bad(_tool("a: int, b: int"), ToolArgumentUnclear, "`b: what it is`"),
    "any number": Bad(_tool("*a: int"), ToolArgumentUnclear, "*args"),
    "any names": Bad(_tool("**a: int"), ToolArgumentUnclear, "**kwargs"),
    "by place alone": Bad(_tool("a: int, /"), ToolArgumentUnclear, "`/`"),
    "an unknown class": Bad(_tool("a: DataFrame"), ToolTypeUnsupported, "`DataFrame`"),
    "a date": Bad(_tool("a: datetime.date"), ToolTypeUnsupported, "`datetime.date`"),
    "bytes": Bad(_tool("a: bytes"), ToolTypeUnsupported, "`bytes`"),
    "a plain class": Bad(
        _tool("a: Box", before="class Box:\n    x: int\n"), ToolTypeUnsupported, "dataclass"
    ),
    "an enumeration of objects": Bad(
        _tool("a: E", before="class E(Enum):\n    A = object()\n"), ToolTypeUnsupported, "`A`"
    ),
    "an empty enumeration": Bad(
        _tool("a: E", before="class E(Enum):\n    pass\n"), ToolTypeUnsupported, "members"
    ),
    "keys that are numbers": Bad(_tool("a: dict[int, str]"), ToolTypeUnsupported, "dict[str, …]"),
    "a key alone": Bad(_tool("a: dict[str]"), ToolTypeUnsupported, "dict[str]"),
    "two items": Bad(_tool("a: list[int, str]"), ToolTypeUnsupported, "list[int, str]"),
    "a choice of names": Bad(_tool("a: Literal[X]"), ToolTypeUnsupported, "Literal[X]"),
    "a call": Bad(_tool("a: make()"), ToolTypeUnsupported, "make()"),
    "a number": Bad(_tool("a: 5"), ToolTypeUnsupported, "`5`"),
    "unreadable quotes": Bad(_tool("a: 'list['"), ToolTypeUnsupported, "`list[`"),
    "an alias of itself": Bad(_tool("a: A", before="A = list['A']\n"), ToolTypeUnsupported, "deep"),
    "too many": Bad(
        _tool(
            "a: C0",
            before="".join(
                f"class C{n}(BaseModel):\n    x: C{n + 1}\n    y: C{n + 1}\n" for n in range(20)
            )
            + "class C20(BaseModel):\n    z: int\n",
        ),
        ToolTypeUnsupported,
        "too many",
    ),
}
