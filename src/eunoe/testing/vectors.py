"""Deterministic embeddings for tests: texts that share words are near each other."""

import re
from functools import lru_cache
from hashlib import blake2b
from math import sqrt
from typing import Final

_WORD: Final = re.compile(r"\w+")
_SPREAD: Final = 8


@lru_cache(maxsize=50_000)
def _places(word: str, dimensions: int) -> tuple[tuple[int, float], ...]:
    """Return the few coordinates that a word touches, each with its sign."""
    digest = blake2b(word.encode(), digest_size=4 * _SPREAD).digest()
    numbers = (int.from_bytes(digest[i : i + 4], "big") for i in range(0, 4 * _SPREAD, 4))
    return tuple(((n >> 1) % dimensions, 1.0 if n & 1 else -1.0) for n in numbers)


def vector(text: str, *, dimensions: int) -> list[float]:
    """Return the unit vector of `text`: the sum of its words' fixed directions."""
    totals = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [""]:
        for place, sign in _places(word, dimensions):
            totals[place] += sign
    length = sqrt(sum(value * value for value in totals))
    if length == 0.0:
        totals[0] = length = 1.0
    return [value / length for value in totals]
