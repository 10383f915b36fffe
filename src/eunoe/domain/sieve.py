"""The arguments of a call, taken apart while they are still being written (G-19, streaming 2.10).

    sieve = Sieve(watched={"message"}, removed={"request_heartbeat"})
    sieve.feed('{"message": "Hi')      # rest: {"message": "Hi     value of message: Hi
    sieve.feed('!", "request_')        # rest: !"                  value of message: !
    sieve.feed('heartbeat": true}')    # rest: }

Keys count at depth 1 alone. The value of a watched key comes decoded where it is a text, else as
it is written, and of a key that is said twice only the first is watched. What is left is, byte
for byte, the text that was fed without the pairs of the removed keys and their commas. However
the text is cut into fragments, the pieces add up to the same; held back is never more than a
key, the blanks around it, or an incomplete escape.
"""

import re
from collections.abc import Callable, Collection
from typing import Final, Literal, NamedTuple, TypeAlias

Form: TypeAlias = Literal["text", "json", "bare"]
"""How a value is written: as a text, as an object, list or number, or as a word such as null."""

_SPACE: Final = " \t\n\r"
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_AS_THEY_ARE: Final = '"\\/'
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_ESCAPED_UNIT: Final = len("\\u0000")
_PLAIN: Final = re.compile(r'[^"\\\ud800-\udfff]+')


class Piece(NamedTuple):
    """A stretch of the value of the watched `key`; key null is a stretch of what is left."""

    key: str | None
    text: str
    form: Form = "text"


class Decoder:
    """Decodes the inside of a JSON text, a stretch at a time.

    It gives out whole code points only: half of a surrogate pair waits for the other half, and
    is dropped where that does not come, since no reader could take it.
    """

    def __init__(self) -> None:
        self._escape = ""
        self._half = ""

    @property
    def escaping(self) -> bool:
        """Whether an escape has begun that is not complete."""
        return bool(self._escape)

    def ends_at(self, char: str) -> bool:
        """Whether `char` closes the text rather than being part of it."""
        return char == '"' and self._escape != "\\"

    def finish(self) -> str:
        """Return what an escape comes to that is not completed any more: itself."""
        broken, self._escape = self._escape, ""
        return broken

    def take(self, text: str) -> str:
        """Return what can be said of `text`, which holds no closing quote."""
        if not self._escape and not self._half and "\\" not in text and _PLAIN.fullmatch(text):
            return text
        return "".join(map(self._one, text))

    def _one(self, char: str) -> str:
        if not self._escape:
            if char != "\\":
                return self._unit(char)
            self._escape = char
            return ""
        return self._hex(char) if len(self._escape) > 1 else self._letter(char)

    def _letter(self, char: str) -> str:
        """Take the first letter of an escape."""
        self._escape = ""
        if char == "u":
            self._escape = "\\u"
            return ""
        if char in _ESCAPES:
            return self._unit(_ESCAPES[char])
        # An escape that JSON does not know, as in a pattern: the backslash was meant.
        return self._unit(char) if char in _AS_THEY_ARE else self._unit("\\") + self._one(char)

    def _hex(self, char: str) -> str:
        """Take a digit of an escaped code unit."""
        if char not in _HEX:
            return self._unit("\\") + self.finish()[1:] + self._one(char)
        self._escape += char
        if len(self._escape) < _ESCAPED_UNIT:
            return ""
        digits, self._escape = self._escape[2:], ""
        return self._unit(chr(int(digits, 16)))

    def _unit(self, char: str) -> str:
        """Return a UTF-16 code unit, or the character that it completes."""
        if "\ud800" <= char <= "\udbff":
            self._half = char
            return ""
        half, self._half = self._half, ""
        if "\udc00" <= char <= "\udfff":
            return (half + char).encode("utf-16", "surrogatepass").decode("utf-16") if half else ""
        return char


class Sieve:
    """Takes one call's arguments apart. A text that is no JSON object is all left as it is."""

    def __init__(self, *, watched: Collection[str], removed: Collection[str] = ()) -> None:
        self._watched = frozenset(watched)
        self._removed = frozenset(removed)
        self.closed: set[str] = set()
        """The watched keys whose values are complete."""
        self.over = False
        """Whether the object has ended, or turned out not to be one."""
        self.broken = False
        self._state: Callable[[str], None] = self._before
        self._pieces: list[tuple[str | None, Form, list[str]]] = []
        # Blanks with a comma, and a key behind them, that are not yet known to stay.
        self._separator = ""
        self._held = ""
        self._kept = False  # whether a pair before this one was left
        self._dropped = False  # whether a pair before this one was removed
        self._key: str | None = None
        self._watching = False
        self._removing = False
        self._form: Form = "text"
        self._decoder = Decoder()
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def feed(self, text: str) -> list[Piece]:
        """Return what the next fragment adds, in order."""
        at = 0
        while at < len(text):
            run = self._run(text, at)
            if run is None:
                self._state(text[at])
                at += 1
            else:
                at = run
        return self._taken()

    def finish(self) -> list[Piece]:
        """Return what was held back; no more is coming."""
        self._release()
        self.over = True
        return self._taken()

    def _run(self, text: str, at: int) -> int | None:
        """Take the plain characters of a text at once; where they end, null for none."""
        if self._state != self._text or self._decoder.escaping:
            return None
        run = _PLAIN.match(text, at)
        if run is None:
            return None
        self._value(run[0], self._decoder.take(run[0]))
        return run.end()

    def _taken(self) -> list[Piece]:
        taken = [Piece(key, "".join(texts), form) for key, form, texts in self._pieces]
        self._pieces = []
        return taken

    def _release(self) -> None:
        self._left(self._separator + self._held)
        self._separator = self._held = ""

    def _left(self, text: str) -> None:
        if text:
            self._put(None, "text", text)

    def _put(self, key: str | None, form: Form, text: str) -> None:
        if self._pieces and self._pieces[-1][:2] == (key, form):
            self._pieces[-1][2].append(text)
        else:
            self._pieces.append((key, form, [text]))

    def _value(self, raw: str, said: str) -> None:
        """Take a stretch of the value: `raw` as it is written, `said` what it means."""
        if not self._removing:
            self._left(raw)
        if self._watching and said:
            self._put(self._key, self._form, said)

    def _break(self, char: str) -> None:
        """Take it from here that this is no JSON: the rest is left as it is."""
        self.over = self.broken = True
        self._state = self._after
        self._held += char
        self._release()

    # One state each; a state is given one character

    def _before(self, char: str) -> None:
        if char == "{":
            self._held += char
            self._release()
            self._state = self._between
        elif char in _SPACE:
            self._held += char
        else:
            self._break(char)

    def _between(self, char: str) -> None:
        """Stand in front of a key or of the end."""
        if char in _SPACE or (char == "," and "," not in self._held and self._key is not None):
            self._held += char
        elif char == '"':
            self._key = ""
            self._decoder = Decoder()
            self._separator, self._held = self._held, char
            self._state = self._in_key
        elif char == "}":
            gap = self._held.replace(",", "") if self._dropped else self._held
            self._left(gap + char)
            self._held = ""
            self.over = True
            self._state = self._after
        else:
            self._break(char)

    def _in_key(self, char: str) -> None:
        self._held += char
        if self._decoder.ends_at(char):
            self._key = (self._key or "") + self._decoder.finish()
            self._state = self._colon
        else:
            self._key = (self._key or "") + self._decoder.take(char)

    def _colon(self, char: str) -> None:
        if char in _SPACE:
            self._held += char
        elif char == ":":
            self._open_pair(char)
        else:
            self._break(char)

    def _open_pair(self, char: str) -> None:
        key = self._key or ""
        self._removing = key in self._removed
        self._watching = key in self._watched and key not in self.closed
        if self._removing:
            self._dropped = True
        else:
            # The comma behind a removed pair that came first goes with it.
            lone = self._dropped and not self._kept
            self._left(self._separator.replace(",", "") if lone else self._separator)
            self._left(self._held + char)
            self._kept = True
        self._separator = self._held = ""
        self._state = self._value_begins

    def _value_begins(self, char: str) -> None:
        if char in _SPACE:
            if not self._removing:
                self._left(char)
            return
        self._decoder = Decoder()
        match char:
            case '"':
                self._form, self._state = "text", self._text
                self._value(char, "")
            case "{" | "[":
                self._form, self._state = "json", self._nested
                self._depth, self._quoted, self._escaped = 1, False, False
                self._value(char, char)
            case "," | "}" | ":" | "]":
                self._break(char)
            case _:
                self._form = "bare" if char.isalpha() else "json"
                self._state = self._bare
                self._value(char, char)

    def _text(self, char: str) -> None:
        if self._decoder.ends_at(char):
            self._value(char, self._decoder.finish())
            self._close_pair()
        else:
            self._value(char, self._decoder.take(char))

    def _nested(self, char: str) -> None:
        self._value(char, char)
        if self._quoted:
            if self._escaped:
                self._escaped = False
            elif char == "\\":
                self._escaped = True
            elif char == '"':
                self._quoted = False
            return
        if char == '"':
            self._quoted = True
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
            if self._depth == 0:
                self._close_pair()

    def _bare(self, char: str) -> None:
        if char in ",}" or char in _SPACE:
            self._close_pair()
            self._between(char)
        else:
            self._value(char, char)

    def _close_pair(self) -> None:
        if self._watching and self._key is not None:
            self.closed.add(self._key)
        self._state = self._between

    def _after(self, char: str) -> None:
        self._left(char)


def value_of(arguments: str, key: str) -> str:
    """Return the value of `key` in whole arguments: a text decoded, all but words as written.

    Empty where there is none or it is a word; a stream shows the same of it.
    """
    pieces = Sieve(watched={key}).feed(arguments)
    return "".join(piece.text for piece in pieces if piece.key == key and piece.form != "bare")
