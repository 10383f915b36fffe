"""Providers that callers brought: each organization sees its own behind those of the server."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from eunoe.domain.events import ModelEvent
from eunoe.domain.models import EmbeddingConfig, EmbeddingListing, ModelConfig, ModelListing
from eunoe.engine.ports import Embedder, Model, ModelRequest
from eunoe.llm.connection import Timeouts
from eunoe.llm.providers import ProviderConfig, split_handle
from eunoe.llm.reach import Reach
from eunoe.llm.registry import Registry, in_order
from eunoe.llm.sources import Endpoint, Listed

Load: TypeAlias = Callable[[str], Awaitable[Sequence[ProviderConfig]]]
"""Returns the providers that an organization has brought, as they are stored now."""


@dataclass(slots=True)
class _Own:
    """The registry of one organization, and what it was made of."""

    registry: Registry = field(default_factory=Registry)
    configs: dict[str, ProviderConfig] = field(default_factory=dict[str, ProviderConfig])
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class BroughtProviders:
    """The server's providers with those of every organization beside them.

    What is stored is the truth, and is looked at whenever a brought provider is used: another
    process may have changed it. A handle of the server's own costs nothing more. `private` says
    whether what callers bring may be at private and loopback addresses.
    """

    def __init__(
        self, shared: Registry, *, load: Load, timeouts: Timeouts, private: bool = True
    ) -> None:
        self.shared = shared
        self._load = load
        self._timeouts = timeouts
        self._reach = Reach(private=private)
        self._owned: dict[str, _Own] = {}

    def of(self, organization_id: str) -> "OrganizationModels":
        """Return the models as an organization sees them."""
        return OrganizationModels(providers=self, organization_id=organization_id)

    async def registry(self, organization_id: str) -> Registry:
        """Return the registry of what the organization has brought, as stored now."""
        own = self._owned.setdefault(organization_id, _Own())
        async with own.turn:
            stored = {one.name: one for one in await self._load(organization_id)}
            for name in own.configs.keys() - stored.keys():
                await own.registry.drop(name)
            for name, config in stored.items():
                if own.configs.get(name) != config:
                    await own.registry.put(self._endpoint(config))
            own.configs = stored
        return own.registry

    async def check(self, config: ProviderConfig) -> None:
        """Ask a provider for its models, once; raise the `ModelError` it gave."""
        registry = Registry([self._endpoint(config)])
        try:
            await registry.refresh(config.name)
        finally:
            await registry.aclose()

    async def refresh(self, organization_id: str, name: str) -> Listed:
        """Read a provider's list anew. Raises `ModelUnknown`, or the `ModelError` it gave."""
        return await (await self.registry(organization_id)).refresh(name)

    def _endpoint(self, config: ProviderConfig) -> Endpoint:
        return Endpoint(replace(config, reach=self._reach), timeouts=self._timeouts)

    async def aclose(self) -> None:
        """Close what organizations have brought; the server's own are not this one's to close."""
        for own in self._owned.values():
            await own.registry.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationModels:
    """Every model that one organization can name."""

    providers: BroughtProviders
    organization_id: str

    def of(self, organization_id: str) -> "OrganizationModels":
        return self.providers.of(organization_id)

    async def resolve(self, handle: str) -> ModelConfig:
        """Return how the model is called. Raises `ModelUnknown`."""
        return await (await self._serving(handle)).resolve(handle)

    async def resolve_embedding(self, handle: str) -> EmbeddingConfig:
        """Return how texts become vectors through `handle`. Raises `EmbeddingUnknown`."""
        return await (await self._serving(handle)).resolve_embedding(handle)

    def model_for(self, config: ModelConfig) -> Model:
        """Return who talks to the model; of a brought provider that is looked up as it talks."""
        if self.providers.shared.serves(config.provider_name):
            return self.providers.shared.model_for(config)
        return _LateModel(models=self, config=config)

    def embedder_for(self, config: EmbeddingConfig) -> Embedder:
        if self.providers.shared.serves(split_handle(config.handle)[0]):
            return self.providers.shared.embedder_for(config)
        return _LateEmbedder(models=self, config=config)

    async def models(self) -> list[ModelListing]:
        """Return every model, by provider and name (17.2)."""
        own = await self.own()
        return in_order([*await self.providers.shared.models(), *await own.models()])

    async def embeddings(self) -> list[EmbeddingListing]:
        own = await self.own()
        return in_order([*await self.providers.shared.embeddings(), *await own.embeddings()])

    async def own(self) -> Registry:
        return await self.providers.registry(self.organization_id)

    async def _serving(self, handle: str) -> Registry:
        """Return the registry that a handle belongs to; the server's names come first."""
        shared = self.providers.shared
        return shared if shared.serves(split_handle(handle)[0]) else await self.own()


@dataclass(frozen=True, slots=True, kw_only=True)
class _LateModel:
    models: OrganizationModels
    config: ModelConfig

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        found = (await self.models.own()).model_for(self.config)
        async with aclosing(found.stream(request)) as events:
            async for event in events:
                yield event


@dataclass(frozen=True, slots=True, kw_only=True)
class _LateEmbedder:
    models: OrganizationModels
    config: EmbeddingConfig

    async def embed(
        self, texts: Sequence[str], *, purpose: Literal["store", "search"]
    ) -> list[tuple[float, ...]]:
        found = (await self.models.own()).embedder_for(self.config)
        return await found.embed(texts, purpose=purpose)
