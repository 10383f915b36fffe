"""The providers of this server, by handle: what they serve, and who talks to it."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from eunoe.domain.models import (
    UNKNOWN_CONTEXT_WINDOW,
    EmbeddingConfig,
    EmbeddingListing,
    ModelConfig,
    ModelListing,
)
from eunoe.engine.ports import Embedder, Model
from eunoe.errors import EmbeddingUnknown, ModelError, ModelUnknown
from eunoe.llm.catalog import embeds, known_dimensions, known_model, usual_output_tokens
from eunoe.llm.providers import LISTING_ORDER, ProviderConfig, listed_before, split_handle
from eunoe.llm.sources import Listed, Source

L = TypeVar("L", ModelListing, EmbeddingListing)

_log = structlog.get_logger("eunoe.models")
_FRESH_S: Final = 300.0
_BROKEN_S: Final = 15.0


@dataclass(slots=True)
class _Shelf:
    """A source and the last list that it gave; `listed` is None where it never gave one."""

    source: Source
    listed: Listed | None = None
    error: ModelError | None = None
    asked_at: float = float("-inf")
    asking: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def age_s(self) -> float:
        return time.monotonic() - self.asked_at

    @property
    def is_stale(self) -> bool:
        return self.age_s() > (_FRESH_S if self.error is None else _BROKEN_S)

    def ask(self) -> "asyncio.Task[None]":
        """Ask the source for its list, once however many want it."""
        if self.asking is None or self.asking.done():
            self.asking = asyncio.get_running_loop().create_task(self._ask())
        return self.asking

    async def _ask(self) -> None:
        try:
            self.listed = await self.source.listed()
            self.error = None
        except ModelError as error:
            # A broken provider contributes nothing new and breaks no list (17.6).
            if self.error is None:
                _log.warning(
                    "provider.failed", provider=self.source.provider.name, error=str(error)
                )
            self.error = error
        finally:
            self.asked_at = time.monotonic()


class Registry:
    """All providers of the process. `aclose` ends every client; nothing works after it.

    A handle that is not listed is looked for again, but not within `recheck_s` of the last time.
    """

    def __init__(self, sources: Iterable[Source] = (), *, recheck_s: float = 2.0) -> None:
        self._recheck_s = recheck_s
        self._shelves = {source.provider.name: _Shelf(source) for source in sources}

    @property
    def providers(self) -> list[ProviderConfig]:
        return [shelf.source.provider for shelf in self._shelves.values()]

    def of(self, organization_id: str) -> "Registry":
        """Return what an organization sees: these are for all."""
        del organization_id
        return self

    def serves(self, name: str) -> bool:
        """Whether there is a provider of this name, up or down."""
        return name in self._shelves

    async def put(self, source: Source) -> None:
        """Add a provider, or replace the one of that name."""
        name = source.provider.name
        await self.drop(name)
        self._shelves[name] = _Shelf(source)

    async def drop(self, name: str) -> None:
        """Forget a provider; requests under way through it fail."""
        shelf = self._shelves.pop(name, None)
        if shelf is not None:
            await _close(shelf)

    async def refresh(self, name: str) -> Listed:
        """Ask a provider for its list now. Raises `ModelUnknown`, or the `ModelError` it gave."""
        shelf = self._shelf(name)
        await shelf.ask()
        if shelf.error is not None:
            raise shelf.error
        return shelf.listed or Listed()

    async def models(self) -> list[ModelListing]:
        """Return every model, by provider and name (17.2); a broken provider adds none (17.6)."""
        return in_order([m for listed in await self._current() for m in listed.models])

    async def embeddings(self) -> list[EmbeddingListing]:
        return in_order([e for listed in await self._current() for e in listed.embeddings])

    async def resolve(self, handle: str) -> ModelConfig:
        """Return how the model is called, as its provider lists it. Raises `ModelUnknown`.

        A provider whose list cannot be had is taken at the handle's word, so that agents can be
        made while it is down.
        """
        name, model = split_handle(handle)
        shelf = self._shelf(name)
        if not model:
            raise ModelUnknown(f"{handle} names no model; write provider/model.")
        listing = await self._found(shelf, handle, among=lambda listed: listed.models)
        if listing is None:
            if not shelf.source.is_open and shelf.listed is not None:
                raise ModelUnknown(f"The provider {name} serves no model {model}.")
            known = known_model(model)
            window = known.context_window if known else UNKNOWN_CONTEXT_WINDOW
            listing = shelf.source.provider.model(model, context_window=window)
        return listing.config(max_output_tokens=usual_output_tokens(model))

    async def resolve_embedding(self, handle: str) -> EmbeddingConfig:
        """Return how texts become vectors through `handle`. Raises `EmbeddingUnknown`."""
        name, model = split_handle(handle)
        shelf = self._shelves.get(name)
        if shelf is None:
            raise EmbeddingUnknown(f"There is no provider {name} for the handle {handle}.")
        listing = await self._found(shelf, handle, among=lambda listed: listed.embeddings)
        if listing is not None:
            dimensions = listing.dimensions
        elif shelf.listed is None and embeds(model) and (known := known_dimensions(model)):
            dimensions = known
        else:
            raise EmbeddingUnknown(f"The provider {name} serves no embedding model {model}.")
        provider = shelf.source.provider
        return EmbeddingConfig(
            handle=handle,
            model=model,
            provider_type=provider.provider_type,
            endpoint=provider.base_url,
            dimensions=dimensions,
        )

    def model_for(self, config: ModelConfig) -> Model:
        """Return who talks to the model. Raises `ModelUnknown` once its provider is gone."""
        return self._shelf(config.provider_name).source.model(config)

    def embedder_for(self, config: EmbeddingConfig) -> Embedder:
        name, _ = split_handle(config.handle)
        shelf = self._shelves.get(name)
        if shelf is None:
            raise EmbeddingUnknown(f"There is no provider {name} for {config.handle}.")
        return shelf.source.embedder(config)

    async def aclose(self) -> None:
        for name in list(self._shelves):
            await self.drop(name)

    def _shelf(self, name: str) -> _Shelf:
        shelf = self._shelves.get(name)
        if shelf is None:
            raise ModelUnknown(f"There is no provider {name}; GET /v1/models/ lists the handles.")
        return shelf

    async def _current(self) -> list[Listed]:
        """Return the lists as last known; a stale one is asked for beside, a missing one first."""
        shelves = list(self._shelves.values())
        asked = [(shelf, shelf.ask()) for shelf in shelves if shelf.is_stale]
        missing = [task for shelf, task in asked if shelf.listed is None]
        if missing:
            await asyncio.wait(missing)
        return [shelf.listed for shelf in shelves if shelf.listed is not None]

    async def _found(
        self, shelf: _Shelf, handle: str, *, among: Callable[[Listed], Sequence[L]]
    ) -> L | None:
        for _ in range(2):
            for listing in among(shelf.listed or Listed()):
                if listing.handle == handle:
                    return listing
            if shelf.age_s() < self._recheck_s:
                break
            await asyncio.wait([shelf.ask()])
        return None


def in_order(listings: Iterable[L]) -> list[L]:
    """Return listings by provider and name (17.2)."""

    def place(one: L) -> tuple[int, str]:
        return listed_before(LISTING_ORDER, one.provider_type), one.model

    return sorted(listings, key=place)


async def _close(shelf: _Shelf) -> None:
    if shelf.asking is not None and not shelf.asking.done():
        shelf.asking.cancel()
        await asyncio.wait([shelf.asking])
    await shelf.source.aclose()
