"""One order out of two: how well the words fit, and how near the meaning is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TEXT_WEIGHT: Final = 0.6
VECTOR_WEIGHT: Final = 0.4
_FARTHEST: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """`score` is in 0…1, higher is better; ranks count from 1 in each list alone."""

    key: int
    score: float
    text_rank: int | None = None
    vector_rank: int | None = None


def fused(text: Mapping[int, float], cosine: Mapping[int, float], *, limit: int) -> list[Ranked]:
    """Return the best `limit` keys in order, by the weighted sum of the z-scores of both (FIX-43).

    A key that the words do not match has a text score of 0; one without a vector stands at
    the mean, neither near nor far. Z-scores are cut at three, or else the only match of a
    rare word would outweigh any nearness.
    """
    keys = text.keys() | cosine.keys()
    by_text = _z_scores({key: text.get(key, 0.0) for key in keys} if text else {})
    by_vector = _z_scores(cosine)
    scores = {
        key: TEXT_WEIGHT * by_text.get(key, 0.0) + VECTOR_WEIGHT * by_vector.get(key, 0.0)
        for key in keys
    }
    text_ranks, vector_ranks = _ranks(text), _ranks(cosine)
    return [
        Ranked(
            key=key,
            score=_squashed(scores[key]),
            text_rank=text_ranks.get(key),
            vector_rank=vector_ranks.get(key),
        )
        for key in _in_order(scores)[:limit]
    ]


def _z_scores(values: Mapping[int, float]) -> dict[int, float]:
    if not values:
        return {}
    mean = math.fsum(values.values()) / len(values)
    spread = math.dist(list(values.values()), [mean] * len(values)) / math.sqrt(len(values))
    if spread == 0.0:
        return dict.fromkeys(values, 0.0)
    return {
        key: max(-_FARTHEST, min(_FARTHEST, (value - mean) / spread))
        for key, value in values.items()
    }


def _ranks(values: Mapping[int, float]) -> dict[int, int]:
    return {key: rank for rank, key in enumerate(_in_order(values), 1)}


def _in_order(values: Mapping[int, float]) -> list[int]:
    """Return the keys, best first.

    Among equals the newer comes first: keys are places in the order of writing.
    """
    pairs = sorted(zip(values.values(), values.keys(), strict=True), reverse=True)
    return [key for _, key in pairs]


def _squashed(score: float) -> float:
    return 1 / (1 + math.exp(-score))
