"""Finding tools by words: BM25 over what models are told of them (api 13.3.3)."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from eunoe.domain.tools import Tool
from eunoe.domain.words import all_words, query_words

_NAME_WEIGHT: Final = 3
_SATURATION, _LENGTH_SHARE = 1.2, 0.75
_STEM: Final = 4
"""How much of a word two must share for one to be a form of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHit:
    """`rank` counts from 1, null where nothing was asked for; `score` is in 0…1."""

    tool: Tool
    rank: int | None = None
    score: float = 0.0


def find_tools(tools: Sequence[Tool], query: str, *, limit: int) -> list[ToolHit]:
    """Return the tools that fit the words of `query`, best first; all as they are without words."""
    wanted = query_words(query)
    if not wanted:
        return [ToolHit(tool=tool) for tool in tools[:limit]]
    texts = [_counted(tool) for tool in tools]
    scores = [0.0] * len(tools)
    usual = sum(text.total() for text in texts) / max(len(texts), 1)
    for word in wanted:
        counts = [_occurrences(word, text) for text in texts]
        having = sum(count > 0 for count in counts)
        rarity = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for place, count in enumerate(counts):
            size = 1 - _LENGTH_SHARE + _LENGTH_SHARE * texts[place].total() / usual
            scores[place] += rarity * count * (_SATURATION + 1) / (count + _SATURATION * size)
    order = sorted((p for p in range(len(tools)) if scores[p] > 0), key=lambda p: (-scores[p], p))
    return [
        ToolHit(tool=tools[place], rank=rank, score=scores[place] / (1 + scores[place]))
        for rank, place in enumerate(order[:limit], 1)
    ]


def _counted(tool: Tool) -> Counter[str]:
    words = Counter(" ".join(all_words(" ".join(_texts(tool)))).split())
    for word in all_words(tool.name.replace("-", " ")):
        words[word] += _NAME_WEIGHT
    return words


def _texts(tool: Tool) -> Iterator[str]:
    yield tool.description
    yield tool.schema.description
    yield from tool.tags
    properties = tool.parameters.get("properties")
    if isinstance(properties, Mapping):
        for name, schema in cast("Mapping[str, object]", properties).items():
            yield name
            match schema:
                case {"description": str() as text}:
                    yield text
                case _:
                    pass


def _occurrences(word: str, text: Counter[str]) -> float:
    """Return how often a word, or half as often a form of it, is in a text."""
    exact = sum(text[part] for part in word.split())
    if len(word) < _STEM:
        return exact
    forms = sum(
        count
        for other, count in text.items()
        if other != word
        and len(other) >= _STEM
        and (other.startswith(word) or word.startswith(other))
    )
    return exact + forms / 2
