"""Searches texts for an expression: a program, run by `tools.child`.

    python -I grep_child.py

It reads one line of JSON that says what to look for, `{pattern, include, names, context,
offset, page, most}`, and answers with the places of the names that it wants to see. Then come
blocks: a line of JSON `{file}` where a new text begins or `{size}` before that many bytes of
it. At the end of its input it writes what it found, `{total, counts, matches, is_cut}`. A
match has its file, its line from 1, and the lines around it.

An expression that takes for ever is ended from outside (FIX-60).
"""

import fnmatch
import json
import re
import resource
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_CPU_S: Final = 30
_FAILED: Final = 3
_SHOWN_CHARS: Final = 1_000


class Search:
    """What is looked for, and what was found so far."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._pattern = re.compile(asked["pattern"], re.IGNORECASE)
        self._context: int = asked["context"]
        self._first: int = asked["offset"]
        self._last: int = asked["offset"] + asked["page"]
        self._most: int = asked["most"]
        self.total = 0
        self.counts: dict[int, int] = {}
        self.matches: list[dict[str, Any]] = []

    @property
    def is_full(self) -> bool:
        return self.total >= self._most

    def look(self, file: int, lines: Iterator[str]) -> None:
        """Search one text, line by line."""
        before: deque[str] = deque(maxlen=self._context)
        waiting: list[tuple[dict[str, Any], int]] = []
        search, is_full = self._pattern.search, self.is_full
        for number, line in enumerate(lines, 1):
            if waiting:
                for match, _ in waiting:
                    match["lines"].append((number, line[:_SHOWN_CHARS]))
                waiting = [(match, upto) for match, upto in waiting if number < upto]
            if not is_full and search(line):
                seen = enumerate([*before, line], number - len(before))
                match = self._found(file, number, [(at, one[:_SHOWN_CHARS]) for at, one in seen])
                if match is not None and self._context:
                    waiting.append((match, number + self._context))
                is_full = self.is_full
            if is_full and not waiting:
                return
            before.append(line)

    def _found(self, file: int, number: int, lines: list[Any]) -> dict[str, Any] | None:
        """Count a match; return it where it is on the page that is asked for."""
        place = self.total
        self.total += 1
        self.counts[file] = self.counts.get(file, 0) + 1
        if not self._first <= place < self._last:
            return None
        self.matches.append({"file": file, "line": number, "lines": lines})
        return self.matches[-1]


class Blocks:
    """The texts that come in, one after the other."""

    def __init__(self) -> None:
        self._next: int | None = None

    def files(self) -> Iterator[int]:
        """Yield the place of each text; its lines are to be read before the next is asked for."""
        for line in sys.stdin.buffer:
            head = json.loads(line)
            if "file" in head:
                self._next = head["file"]
            else:
                sys.stdin.buffer.read(head["size"])
            while self._next is not None:
                file, self._next = self._next, None
                yield file

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text that begins here, their breaks cut off."""
        held = ""
        for line in sys.stdin.buffer:
            head = json.loads(line)
            if "file" in head:
                self._next = head["file"]
                break
            *whole, held = (held + sys.stdin.buffer.read(head["size"]).decode()).split("\n")
            yield from whole
        if held:
            yield held


def chosen(names: list[str], include: str | None) -> list[int]:
    """Return the places of the names that a glob fits, or an expression where no name fits it."""
    if not include:
        return list(range(len(names)))
    folded = include.lower()
    globbed = [
        at
        for at, name in enumerate(names)
        if fnmatch.fnmatchcase(name.lower(), folded)
        or fnmatch.fnmatchcase(name.lower().rsplit("/", 1)[-1], folded)
    ]
    if globbed:
        return globbed
    try:
        pattern = re.compile(include, re.IGNORECASE)
    except re.error:
        return []
    return [at for at, name in enumerate(names) if pattern.search(name)]


def _bounded() -> None:
    for what, most in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CPU, _CPU_S)):
        # Not every system has each of them; where one is missing the others still hold.
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _write(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def main() -> int:
    """Answer one search; return the status of the process."""
    _bounded()
    asked = json.loads(sys.stdin.buffer.readline())
    try:
        search = Search(asked)
    except (re.error, RecursionError, OverflowError) as error:
        sys.stderr.write(f"`pattern` is not a regular expression: {error}\n")
        return _FAILED
    _write(chosen(asked["names"], asked["include"]))
    blocks = Blocks()
    for file in blocks.files():
        search.look(file, blocks.lines())
        if search.is_full:
            break
    found = [[file, count] for file, count in search.counts.items()]
    _write({"total": search.total, "counts": found, "matches": search.matches})
    return 0


if __name__ == "__main__":
    sys.exit(main())
