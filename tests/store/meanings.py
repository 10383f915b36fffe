"""Vectors for tests of search: texts that share words are near each other."""

from typing import Final

from eunoe.domain.recall import QueryVector
from eunoe.testing.vectors import vector
from tests.store.samples import EMBEDDING

HANDLE: Final = EMBEDDING.handle
DIMENSIONS: Final = 64


def meaning(text: str) -> tuple[float, ...]:
    return tuple(vector(text, dimensions=DIMENSIONS))


def asked(text: str) -> QueryVector:
    return QueryVector(embedder=HANDLE, values=meaning(text))
