"""One order out of two: how well the words fit, and how near the meaning is."""

import math
from collections.abc import Iterable, Mapping
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


def fused(text: Mapping[int, float], cosine: Mapping[int, float]) -> list[Ranked]:
    """Return all keys, best first, by the weighted sum of the z-scores of both (FIX-43).

    A key that the words do not match has a text score of 0; one without a vector stands at
    the mean, neither near nor far. Z-scores are cut at three, or else the only match of a
    rare word would outweigh any nearness.
    """
    keys = text.keys() | cosine.keys()
    by_text = _z_scores({key: text.get(key, 0.0) for key in keys} if text else {})
    by_vector = _z_scores(cosine)
    text_ranks, vector_ranks = _ranks(text), _ranks(cosine)
    ranked = [
        Ranked(
            key=key,
            score=_squashed(
                TEXT_WEIGHT * by_text.get(key, 0.0) + VECTOR_WEIGHT * by_vector.get(key, 0.0)
            ),
            text_rank=text_ranks.get(key),
            vector_rank=vector_ranks.get(key),
        )
        for key in keys
    ]
    # Among equals the newer comes first: keys are places in the order of writing.
    return sorted(ranked, key=lambda one: (-one.score, -one.key))


def _z_scores(values: Mapping[int, float]) -> dict[int, float]:
    if not values:
        return {}
    mean = math.fsum(values.values()) / len(values)
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values.values()) / len(values))
    if spread == 0.0:
        return dict.fromkeys(values, 0.0)
    return {
        key: max(-_FARTHEST, min(_FARTHEST, (value - mean) / spread))
        for key, value in values.items()
    }


def _ranks(values: Mapping[int, float]) -> dict[int, int]:
    order: Iterable[int] = sorted(values, key=lambda key: (-values[key], -key))
    return {key: rank for rank, key in enumerate(order, 1)}


def _squashed(score: float) -> float:
    return 1 / (1 + math.exp(-score))
