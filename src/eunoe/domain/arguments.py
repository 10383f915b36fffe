"""The arguments of a tool call: from the text a model wrote to an object (FIX-7, A13)."""

import json
import math
import re
from collections.abc import Mapping
from typing import Final, cast

from eunoe.domain.messages import Json
from eunoe.domain.wellformed import well_formed_json
from eunoe.errors import ToolArgumentsInvalid

REQUEST_HEARTBEAT: Final = "request_heartbeat"
THINKING: Final = "thinking"
RESERVED: Final = frozenset({REQUEST_HEARTBEAT, THINKING})
"""Keys that speak to the loop and not to the tool."""

_MAX_DEPTH: Final = 100
_INT64: Final = 2**63
_SHOWN: Final = 30
_SPACE: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD: Final = re.compile(r"[^\W\d][\w-]*")
_PLAIN: Final = {'"': re.compile(r'[^"\\]*'), "'": re.compile(r"[^'\\]*")}
_FENCE: Final = re.compile(r"\s*```\w*\s*\n(?P<inside>.*?)\n?\s*```\s*", re.DOTALL)
_LEFT_OVER: Final = re.compile(r"[\s,;\]}]*(?:\{.*)?", re.DOTALL)
_HEX4: Final = re.compile(r"[0-9a-fA-F]{4}")
_WORDS: Final[dict[str, bool | None]] = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "null": None,
    "None": None,
}
_ESCAPES: Final = {
    '"': '"',
    "'": "'",
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}


def call_arguments(text: str) -> Json:
    """Return the arguments meant for the tool: `read_arguments` without the reserved keys (A13)."""
    return {key: value for key, value in read_arguments(text).items() if key not in RESERVED}


def read_arguments(text: str) -> Json:
    """Return the object that `text` holds; raise `ToolArgumentsInvalid` quoting where it breaks.

    Strict JSON first, then what models write in its place: single quotes, bare keys, Python's
    words, raw line breaks in strings, trailing commas, a code fence, a missing last bracket. A
    text that ends inside a value was cut off and is refused, for acting on half of it is worse.
    """
    if not text.strip():
        return {}
    value = _strict(text)
    if isinstance(value, str):
        value = _strict(value)  # encoded twice
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ToolArgumentsInvalid(
            "The arguments of a tool call must be one JSON object, such as "
            '{"name": "value"}; send them again like that.'
        )
    _refuse_depth(cast("object", value))
    return cast("Json", well_formed_json(cast("object", value)))


def _strict(text: str) -> object:
    try:
        return json.loads(text, parse_int=_integer, parse_float=_real, parse_constant=_real)
    except (ValueError, RecursionError):
        fenced = _FENCE.fullmatch(text)
        return _Reader(fenced["inside"] if fenced else text).whole()


def _integer(digits: str) -> int | float:
    if len(digits) > len(str(_INT64)) + 1:
        return _real(digits)
    number = int(digits)
    return number if -_INT64 <= number < _INT64 else _real(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ToolArgumentsInvalid(f"The arguments are nested deeper than {_MAX_DEPTH} levels.")


def _inside(value: object) -> list[object]:
    match value:
        case Mapping():
            return list(cast("Mapping[str, object]", value).values())
        case list():
            return cast("list[object]", value)
        case _:
            return []


def _joined(pieces: list[str]) -> str:
    """Join the pieces of a string; two escapes may be the halves of one character."""
    text = "".join(pieces)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Reader:
    """One pass over a text; `at` is where it stands, `closed` whether a value ended just there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.closed = False

    def whole(self) -> object:
        """Read one value; what follows may be stray brackets or the object said again."""
        value = self.value()
        if _LEFT_OVER.fullmatch(self.text, self.at) is None:
            raise self.broken("nothing after the object")
        return value

    def value(self) -> object:
        match self.peek():
            case "{":
                return self.members()
            case "[":
                return self.items()
            case '"' | "'":
                return self.string()
            case _:
                return self.plain()

    def members(self) -> dict[str, object]:
        found: dict[str, object] = {}
        self.enter()
        while not self.leave("}"):
            key = self.key()
            if self.peek() != ":":
                raise self.broken("`:` after the key")
            self.at += 1
            found[key] = self.value()
            self.comma("}")
        return found

    def items(self) -> list[object]:
        found: list[object] = []
        self.enter()
        while not self.leave("]"):
            found.append(self.value())
            self.comma("]")
        return found

    def key(self) -> str:
        if self.peek() in ('"', "'"):
            return self.string()
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise self.broken("a key in double quotes")
        self.at = word.end()
        return word[0]

    def plain(self) -> object:
        number = _NUMBER.match(self.text, self.at)
        word = _WORD.match(self.text, self.at)
        try:
            if number is not None:
                value = (_integer if number[0].lstrip("-").isdecimal() else _real)(number[0])
            elif word is not None:
                value = _WORDS[word[0]]
            else:
                raise self.broken("a value")
        except (KeyError, ValueError) as error:
            raise self.broken("a value") from error
        self.at = (number or cast("re.Match[str]", word)).end()
        self.closed = False
        return value

    def string(self) -> str:
        quote = self.text[self.at]
        start = self.at
        self.at += 1
        pieces: list[str] = []
        while True:
            run = cast("re.Match[str]", _PLAIN[quote].match(self.text, self.at))
            pieces.append(run[0])
            self.at = run.end()
            if self.at >= len(self.text):
                self.at = start
                raise self.broken("a closing quote for the text that starts here")
            if self.text[self.at] == quote:
                self.at += 1
                self.closed = True
                return _joined(pieces)
            pieces.append(self.escape())

    def escape(self) -> str:
        letter = self.text[self.at + 1 : self.at + 2]
        if letter == "u" and (digits := _HEX4.match(self.text, self.at + 2)):
            self.at = digits.end()
            return chr(int(digits[0], 16))
        if letter in _ESCAPES:
            self.at += 2
            return _ESCAPES[letter]
        # An escape that JSON does not know, as in a pattern: the backslash was meant.
        self.at += 1
        return "\\"

    def enter(self) -> None:
        self.at += 1
        self.depth += 1
        self.closed = False
        if self.depth > _MAX_DEPTH:
            raise self.broken(f"at most {_MAX_DEPTH} levels of nesting")

    def leave(self, bracket: str) -> bool:
        """Whether the container ends here; a forgotten bracket is forgiven after a whole value."""
        found = self.peek()
        if found == bracket:
            self.at += 1
        elif found or not self.closed:
            return False
        self.depth -= 1
        self.closed = True
        return True

    def comma(self, bracket: str) -> None:
        found = self.peek()
        if found == ",":
            self.at += 1
            self.closed = False
        elif found and found != bracket:
            raise self.broken(f"`,` or `{bracket}`")

    def peek(self) -> str:
        self.at = cast("re.Match[str]", _SPACE.match(self.text, self.at)).end()
        return self.text[self.at : self.at + 1]

    def broken(self, expected: str) -> ToolArgumentsInvalid:
        before = self.text[max(0, self.at - _SHOWN) : self.at]
        after = self.text[self.at : self.at + _SHOWN]
        where = f"near `{before}»{after}`" if after else f"at the end, after `{before}`"
        return ToolArgumentsInvalid(
            f"The arguments are not valid JSON: expected {expected} at character {self.at}, "
            f"{where}. Send them again as one complete JSON object.",
            position=self.at,
        )
