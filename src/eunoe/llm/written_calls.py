"""What a value in the text of a model may mean: a call of an offered tool, or nothing.

Nothing is guessed: a name that is not on offer, arguments that do not fit the tool's schema, and
keys that no call has make a value none.
"""

import ast
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from eunoe.domain.arguments import RESERVED, read_arguments
from eunoe.domain.json_schema import fits, listed
from eunoe.domain.messages import Json
from eunoe.errors import ToolArgumentsInvalid

Tools: TypeAlias = Mapping[str, Json]
"""The schema of the parameters of each tool on offer, by name."""

_ARGUMENTS: Final = ("arguments", "parameters")
_BESIDE: Final = frozenset({"id", "type", "call_id", "tool_call_id"})
KEYS: Final = frozenset({"name", "function", "tool_calls", *_ARGUMENTS, *_BESIDE})
"""The keys that an object which is a call may begin with."""

_MOST_PYTHON_CHARS: Final = 100_000
_STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_JSON_TOKEN: Final = re.compile(rf'{_STRING}|[{{\[]|[}}\]]|[^"{{}}\[\]<]+|.', re.DOTALL)
_PYTHON_TOKEN: Final = re.compile(
    rf"{_STRING}|'[^'\\]*(?:\\.[^'\\]*)*'|[({{\[]|[)}}\]]|[^\"'(){{}}\[\]]+|.", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCall:
    name: str
    arguments: Json


def value_end(text: str, at: int, *, stop: str = "", python: bool = False) -> int | None:
    """Return where the bracketed value at `at` ends, or at `stop` outside its strings.

    Null while the text ends inside it.
    """
    token = _PYTHON_TOKEN if python else _JSON_TOKEN
    quotes = "\"'" if python else '"'
    depth = 0
    while (found := token.match(text, at)) is not None:
        first = text[at]
        if first in quotes and (found.end() - at == 1):
            return None  # a string without its end
        if stop and text.startswith(stop, at):
            return at
        at = found.end()
        if first in "([{":
            depth += first != "(" or python
        elif first in ")]}":
            depth -= first != ")" or python
            if depth <= 0:
                return at
    return None


def decoded(text: str, *, tolerant: bool) -> object:
    """Return the JSON value that `text` is, null where it is none (FIX-7)."""
    try:
        if not tolerant:
            json.loads(text)
        return read_arguments(f'{{"is":{text}}}').get("is")
    except (ToolArgumentsInvalid, ValueError, RecursionError):
        return None


def calls_of(value: object, tools: Tools, *, lax: bool = False) -> tuple[WrittenCall, ...]:
    """Return the calls that `value` stands for, nothing unless all of it is calls.

    `lax` takes a name alone for a call without arguments, where a marker says that it is a call.
    """
    if isinstance(value, dict):
        whole = cast("Json", value)
        if set(whole) == {"tool_calls"}:
            value = whole["tool_calls"]
    calls = [_call(one, tools, lax=lax) for one in listed(cast("object", value))]
    sure = tuple(call for call in calls if call is not None)
    return sure if len(sure) == len(calls) else ()


def called(name: str, arguments: object, tools: Tools) -> WrittenCall | None:
    """Return the call where `name` is on offer and `arguments`, or the JSON in it, suits it."""
    if isinstance(arguments, str):
        try:
            arguments = read_arguments(arguments)
        except ToolArgumentsInvalid:
            return None
    if name not in tools or not isinstance(arguments, dict):
        return None
    given = cast("Json", arguments)
    return WrittenCall(name=name, arguments=given) if _suits(given, tools[name]) else None


def _call(value: object, tools: Tools, *, lax: bool) -> WrittenCall | None:
    if not isinstance(value, dict):
        return None
    fields = cast("Json", value)
    inner = fields.get("function")
    if isinstance(inner, dict):
        return (
            _call(cast("object", inner), tools, lax=lax)
            if fields.keys() <= _BESIDE | {"function"}
            else None
        )
    held = [key for key in _ARGUMENTS if key in fields]
    name = fields.get("name")
    if not isinstance(name, str) or not fields.keys() <= _BESIDE | {"name", *held}:
        return None
    if len(held) != 1:
        return called(name, {}, tools) if lax and not held else None
    return called(name, fields[held[0]], tools)


def _suits(arguments: Json, parameters: Json) -> bool:
    """Whether the tool's schema is satisfied, and knows every argument by name."""
    known = cast("Json", parameters.get("properties") or {})
    given = {k: v for k, v in arguments.items() if k in known or k not in RESERVED}
    is_open = bool(parameters.get("additionalProperties", "properties" not in parameters))
    if not is_open and not given.keys() <= known.keys():
        return False
    needed = [name for name in listed(parameters.get("required", [])) if name not in RESERVED]
    return fits(given, {**parameters, "required": needed})


def named_values(written: Sequence[tuple[str, str]], parameters: Json) -> Json | None:
    """Return arguments whose values were written bare: text where the schema takes text, else JSON.

    Null where a value is neither, or a name comes twice.
    """
    known = cast("Json", parameters.get("properties") or {})
    found: Json = {}
    for name, text in written:
        if name in found:
            return None
        schema = known.get(name, True)
        if fits(text, schema):
            found[name] = text
            continue
        words = {"True": "true", "False": "false", "None": "null"}
        bare = text.strip()
        value = decoded(words.get(bare, bare), tolerant=False)
        if value is None and bare not in {"null", "None"}:
            return None
        found[name] = value
    return found


def python_calls(text: str, tools: Tools) -> tuple[WrittenCall, ...]:
    """Return the calls in a list such as `[look(at="x"), go(n=1)]`, read as literals, never run."""
    if len(text) > _MOST_PYTHON_CHARS:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
        nodes = tree.elts if isinstance(tree, ast.List) else [tree]
        calls = [_python_call(node, tools) for node in nodes]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return ()
    sure = tuple(call for call in calls if call is not None)
    return sure if len(sure) == len(calls) else ()


def _python_call(node: ast.expr, tools: Tools) -> WrittenCall | None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            written = {one.arg: ast.literal_eval(one.value) for one in keywords if one.arg}
            if len(written) < len(keywords):
                return None
            # Through JSON, so that tuples, sets and bytes become lists or nothing at all.
            return called(name, json.dumps(written), tools)
        case _:
            return None
