"""A text in chunks of about one size, parted where its meaning is (15.9.3)."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from eunoe.domain.file_types import Cut

CHARS_PER_TOKEN: Final = 4
_SENTENCE: Final = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+")
_BREAK: Final = re.compile(r"\s+")


def chunks(pieces: Iterable[str], *, by: Cut, size: int) -> Iterator[str]:
    """Yield the text of `pieces` in order, in chunks of at most `size` characters.

    Pieces are lines, each with its break; a very long line may come in several. A chunk
    ends at the end of a line or a paragraph, else of a sentence, else of a word. Nothing but
    white space is lost, and no chunk is blank.
    """
    units = pieces if by == "line" else _paragraphs(pieces, size=size)
    for packed in _packed(units, size=size):
        text = packed.strip("\r\n").rstrip()
        if text.strip():
            yield text


def _paragraphs(lines: Iterable[str], *, size: int) -> Iterator[str]:
    """Yield runs of lines up to a blank one; one that outgrows `size` comes in parts."""
    held, length = list[str](), 0
    for line in lines:
        held.append(line)
        length += len(line)
        if not line.strip() or length > size:
            yield "".join(held)
            held, length = [], 0
    if held:
        yield "".join(held)


def _packed(units: Iterable[str], *, size: int) -> Iterator[str]:
    """Yield as many units together as fit into `size`; what alone does not fit is split."""
    held = ""
    for unit in units:
        if len(held) + len(unit.rstrip()) > size:
            if held.strip():
                yield held
            held = ""
        if len(unit.rstrip()) > size:
            *whole, held = _split(unit, size=size)
            yield from whole
        else:
            held += unit
    if held.strip():
        yield held


def _split(unit: str, *, size: int) -> list[str]:
    """Return a long unit by sentences, and what is longer than `size` by words."""
    parts: list[str] = []
    held = ""
    for sentence in _parted(unit, _SENTENCE):
        if held and len(sentence.rstrip()) > size:
            parts.append(held)
            held = ""
        for piece in _by_words(sentence, size=size):
            if len(held) + len(piece.rstrip()) > size:
                parts.append(held)
                held = ""
            held += piece
    return [*parts, held]


def _by_words(sentence: str, *, size: int) -> Iterator[str]:
    if len(sentence.rstrip()) <= size:
        yield sentence
        return
    for word in _parted(sentence, _BREAK):
        for start in range(0, len(word), size):
            yield word[start : start + size]


def _parted(text: str, at: re.Pattern[str]) -> Iterator[str]:
    """Yield `text` in parts that end behind each match, losing nothing."""
    start = 0
    for found in at.finditer(text):
        yield text[start : found.end()]
        start = found.end()
    if start < len(text):
        yield text[start:]
