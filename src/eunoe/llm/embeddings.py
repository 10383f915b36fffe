"""Vectors from providers that speak OpenAI's embeddings."""

import base64
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

import httpx
import orjson

from eunoe.domain.messages import Json
from eunoe.errors import (
    ContextOverflow,
    ModelError,
    ModelReplyCut,
    ModelReplyInvalid,
    ModelRequestRefused,
)
from eunoe.llm.catalog import known_dimensions
from eunoe.llm.connection import Timeouts, body_of
from eunoe.llm.faults import Origin, disconnection, refusal
from eunoe.llm.retries import Attempts, Retries

Vector: TypeAlias = tuple[float, ...]

MOST_INPUTS: Final = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEmbedder:
    """An embedding model behind an OpenAI-compatible endpoint; the owner closes the client.

    `dimensions` is the length that every vector must have, if it is known. `path` is where
    requests go below the client's base URL.
    """

    client: httpx.AsyncClient
    origin: Origin
    timeouts: Timeouts
    retries: Retries
    model: str
    dimensions: int | None
    batch_size: int
    path: str = "embeddings"

    async def embed(
        self, texts: Sequence[str], *, purpose: Literal["store", "search"]
    ) -> list[Vector]:
        """Return a vector for each text, in order; both purposes share one space (P43)."""
        # Providers refuse an empty input, and one of them would lose the whole batch.
        inputs = [text if text.strip() else " " for text in texts]
        vectors: list[Vector] = []
        size = max(1, min(self.batch_size, MOST_INPUTS))
        for start in range(0, len(inputs), size):
            vectors += await self._halving(inputs[start : start + size])
        return vectors

    async def _halving(self, inputs: Sequence[str]) -> list[Vector]:
        """Embed a batch; one that is refused is tried again as two halves."""
        try:
            return await self._asked(inputs)
        except (ContextOverflow, ModelRequestRefused):
            if len(inputs) == 1:
                raise
        middle = len(inputs) // 2
        return [*await self._halving(inputs[:middle]), *await self._halving(inputs[middle:])]

    async def _asked(self, inputs: Sequence[str]) -> list[Vector]:
        attempts = Attempts(self.retries, total_s=self.timeouts.total_s)
        while True:
            try:
                return self._vectors(await self._post(inputs), count=len(inputs))
            except ModelError as error:
                await attempts.again(error)

    async def _post(self, inputs: Sequence[str]) -> bytes:
        body: Json = {"model": self.model, "input": inputs, "encoding_format": "float"}
        native = known_dimensions(self.model)
        if self.model.startswith("text-embedding-3") and self.dimensions not in {None, native}:
            body["dimensions"] = self.dimensions
        if self.client.base_url.host == "api.openai.com":
            body["encoding_format"] = "base64"
        try:
            async with self.client.stream(
                "POST",
                self.path,
                content=orjson.dumps(body),
                headers={"content-type": "application/json"},
            ) as response:
                text = await body_of(response)
        except httpx.RequestError as error:
            raise disconnection(error, begun=False, origin=self.origin) from error
        if response.status_code != HTTPStatus.OK:
            raise refusal(response.status_code, text, headers=response.headers, origin=self.origin)
        return text

    def _vectors(self, body: bytes, *, count: int) -> list[Vector]:
        try:
            reply: Json = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ModelReplyCut(
                f"{self.origin.name} sent embeddings that are not whole JSON: {error}"
            ) from error
        try:
            items: list[Json] = sorted(reply["data"], key=lambda item: item["index"])
            vectors = [_vector(item["embedding"]) for item in items]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelReplyInvalid(
                f"{self.origin.name} sent embeddings of an unknown shape: {error!r}"
            ) from error
        lengths = {len(vector) for vector in vectors}
        if len(vectors) != count or len(lengths) != 1:
            raise ModelReplyInvalid(
                f"{self.origin.name} sent {len(vectors)} vectors of {sorted(lengths)} dimensions "
                f"for {count} texts."
            )
        if self.dimensions is not None and lengths != {self.dimensions}:
            raise ModelReplyInvalid(
                f"{self.model} of {self.origin.name} gives {lengths.pop()} dimensions; "
                f"{self.dimensions} are expected."
            )
        return vectors


def _vector(value: str | list[float]) -> Vector:
    """Return numbers that were sent as a list, or as the base64 of little-endian floats."""
    if not isinstance(value, str):
        return tuple(map(float, value))
    packed = base64.b64decode(value)
    return tuple(memoryview(packed).cast("f")) if _LITTLE else _swapped(packed)


_LITTLE: Final = array("H", [1]).tobytes()[0] == 1


def _swapped(packed: bytes) -> Vector:
    numbers = array("f")
    numbers.frombytes(packed)
    numbers.byteswap()
    return tuple(numbers)
