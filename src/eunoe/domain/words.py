"""The words of a text, the same for every index and every query.

Both engines are given words cut here and not raw text: what a user writes can then
never be query syntax, and both engines agree on what a word is. Scripts without
spaces are cut into characters, and a query asks for pairs of them.
"""

import re
import unicodedata
from itertools import pairwise
from typing import Final

_IDEOGRAPHS: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_TOKEN: Final = re.compile(f"[{_IDEOGRAPHS}]+|[^\\W_{_IDEOGRAPHS}]+")
_IDEOGRAPH: Final = re.compile(f"[{_IDEOGRAPHS}]")
_MARKS: Final = re.compile("[\u0300-\u036f]")
_LONGEST: Final = 64
_QUERY_CHARS: Final = 4_000
_QUERY_WORDS: Final = 32
_STOP_TEXT: Final = """
    a about after again all also am an and any are aren as at be because been before being both
    but by can could couldn d did didn do does doesn doing don during each ever few for from
    further get had hadn has hasn have haven having he her here hers herself him himself his how
    i if in into is isn it its itself just ll m me more most my myself no nor not now of off on
    once only or other our ours ourselves out over own re s same she should shouldn so some such
    t tell than that the their theirs them themselves then there these they this those through
    to too under until up us ve very was wasn we were weren what when where which while who whom
    whose why will with won would wouldn you your yours yourself yourselves
"""
_STOP: Final = frozenset(_STOP_TEXT.split())


def all_words(text: str) -> list[str]:
    """Return the words of `text` in order, lower case, without accents."""
    return [
        " ".join(token) if _IDEOGRAPH.match(token) else token[:_LONGEST]
        for token in _TOKEN.findall(_folded(text))
    ]


def indexed_words(text: str) -> str:
    """Return what of `text` a stored index holds: its words, one blank between.

    Stop words are left out unless there is nothing else: no query asks for them beside others,
    and they are a third of what an index would hold.
    """
    words = all_words(text)
    return " ".join([word for word in words if word not in _STOP] or words)


def query_words(text: str) -> list[str]:
    """Return what to search for: distinct words, each maybe a phrase of two characters.

    Stop words are left out as from an index. The number is bounded, whatever the length of
    `text`.
    """
    found: dict[str, None] = {}
    for token in _TOKEN.findall(_folded(text.strip()[:_QUERY_CHARS])):
        if _IDEOGRAPH.match(token):
            pairs = [f"{a} {b}" for a, b in pairwise(token)]
            found.update(dict.fromkeys(pairs or [token]))
        else:
            found[token[:_LONGEST]] = None
    telling = [word for word in found if word not in _STOP]
    return (telling or list(found))[:_QUERY_WORDS]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFC", plain)
