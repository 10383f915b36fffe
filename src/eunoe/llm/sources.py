"""Where models come from: an endpoint on the network, or something that runs beside the server."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Protocol

from eunoe.domain.events import ModelEvent
from eunoe.domain.models import EmbeddingConfig, EmbeddingListing, ModelConfig, ModelListing
from eunoe.engine.ports import Embedder, Model, ModelRequest, Previewed
from eunoe.errors import EmbeddingUnknown, ModelError
from eunoe.llm.chat import ChatModel
from eunoe.llm.connection import Timeouts, client
from eunoe.llm.dialects import is_genuine, is_openai_reasoner, speaks_responses_only
from eunoe.llm.discovery import Found, found
from eunoe.llm.embeddings import ChatEmbedder
from eunoe.llm.faults import Origin
from eunoe.llm.providers import ProviderConfig, family_of, secrets_of
from eunoe.llm.retries import Retries
from eunoe.llm.vendor import VendorModel, Wire

_ANTHROPIC_VERSION: Final = "2023-06-01"
_AZURE_VERSION: Final = "2024-09-01-preview"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a source serves."""

    models: tuple[ModelListing, ...] = ()
    embeddings: tuple[EmbeddingListing, ...] = ()


class Source(Protocol):
    """One provider, alive: its lists, and what talks to its models. Closed by the registry."""

    @property
    def provider(self) -> ProviderConfig: ...

    @property
    def is_open(self) -> bool:
        """Whether it may serve models that it does not list."""
        ...

    async def listed(self) -> Listed:
        """Return what it serves now. Raises `ModelError` where it cannot be asked."""
        ...

    def model(self, config: ModelConfig) -> Model: ...

    def embedder(self, config: EmbeddingConfig) -> Embedder: ...

    async def aclose(self) -> None: ...


class Endpoint:
    """A provider behind HTTP, with one client for the life of the process."""

    def __init__(
        self,
        provider: ProviderConfig,
        *,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.provider = provider
        self._timeouts = timeouts or Timeouts()
        self._retries = retries or Retries()
        self._origin = Origin(
            name=provider.name, secrets=secrets_of(provider), is_byok=provider.category == "byok"
        )
        self._client = client(
            base_url=_api_base(provider),
            headers=_headers(provider),
            params=_params(provider),
            timeouts=self._timeouts,
            reach=provider.reach,
        )
        self._chats: dict[str, ChatModel] = {}
        self._vendors: dict[Wire, VendorModel] = {}

    @property
    def is_open(self) -> bool:
        # A deployment's name is the caller's own; no list of these types has it.
        return self.provider.provider_type in {"azure", "bedrock", "google_vertex"}

    async def listed(self) -> Listed:
        if self.provider.provider_type in {"bedrock", "google_vertex"}:
            return Listed()
        items = await found(self.provider, client=self._client, origin=self._origin)
        spaces = [s for item in items if (s := await self._space(item)) is not None]
        models = [self._listing(item) for item in items if item.dimensions is None]
        return Listed(models=tuple(models), embeddings=tuple(spaces))

    def _listing(self, item: Found) -> ModelListing:
        return self.provider.model(
            item.model, context_window=item.context_window, max_output_tokens=item.max_output_tokens
        )

    async def _space(self, item: Found) -> EmbeddingListing | None:
        """Return an embedding model with the length of its vectors, measured if nobody says it."""
        if item.dimensions is None or family_of(self.provider.provider_type) != "chat":
            return None
        dimensions = item.dimensions or await self._measured(item.model)
        if dimensions is None:
            return None
        return self.provider.embedding(item.model, dimensions=dimensions)

    async def _measured(self, model: str) -> int | None:
        try:
            vectors = await self._embeds(model).embed(["length"], purpose="store")
        except ModelError:
            # It calls itself an embedding model and embeds nothing, so it is not offered.
            return None
        return len(vectors[0])

    def model(self, config: ModelConfig) -> Model:
        """Return who talks to the model (P3).

        Only OpenAI's own reasoning models have two ways to be asked: Responses alone takes their
        reasoning back (10.4), and a loop that demands calls asks through chat completions (R11).
        """
        provider = self.provider
        family = family_of(provider.provider_type)
        if family != "chat":
            return self._vendor(family)
        genuine = is_genuine(provider.provider_type, base_url=provider.base_url)
        if not genuine or not is_openai_reasoner(config.model):
            return self._chat(config.model)
        responses = self._vendor("responses")
        if speaks_responses_only(config.model):
            return responses
        return ByLoop(plain=responses, demanding=self._chat(config.model))

    def _chat(self, model: str) -> ChatModel:
        path = _path(self.provider, model, "chat/completions")
        if path not in self._chats:
            self._chats[path] = ChatModel(
                client=self._client,
                origin=self._origin,
                timeouts=self._timeouts,
                retries=self._retries,
                path=path,
            )
        return self._chats[path]

    def _vendor(self, wire: Wire) -> VendorModel:
        if wire not in self._vendors:
            self._vendors[wire] = VendorModel(
                self.provider,
                wire=wire,
                origin=self._origin,
                timeouts=self._timeouts,
                retries=self._retries,
            )
        return self._vendors[wire]

    def embedder(self, config: EmbeddingConfig) -> Embedder:
        if family_of(self.provider.provider_type) != "chat":
            raise EmbeddingUnknown
        return self._embeds(
            config.model, dimensions=config.dimensions, batch_size=config.batch_size
        )

    def _embeds(
        self, model: str, *, dimensions: int | None = None, batch_size: int = 1
    ) -> ChatEmbedder:
        return ChatEmbedder(
            client=self._client,
            origin=self._origin,
            timeouts=self._timeouts,
            retries=self._retries,
            model=model,
            dimensions=dimensions,
            batch_size=batch_size,
            path=_path(self.provider, model, "embeddings"),
        )

    async def warm(self) -> None:
        """Load the vendor's library, if this provider needs one, ahead of the first request."""
        family = family_of(self.provider.provider_type)
        if family != "chat":
            await self._vendor(family).warm()

    async def aclose(self) -> None:
        await self._client.aclose()
        for vendor in self._vendors.values():
            await vendor.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class ByLoop:
    """A model that is asked in one way by loops that answer in text, in another by others."""

    plain: Model
    demanding: Model

    def asked(self, request: ModelRequest) -> Model:
        return self.demanding if request.heartbeats else self.plain

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        return self.asked(request).stream(request)

    async def preview(self, request: ModelRequest) -> dict[str, object]:
        asked = self.asked(request)
        return await asked.preview(request) if isinstance(asked, Previewed) else {}


def _api_base(provider: ProviderConfig) -> str:
    """Return the base of plain HTTP requests; an Anthropic-like base may lack the version."""
    base = provider.base_url
    if family_of(provider.provider_type) == "anthropic" and not base.endswith("/v1"):
        return f"{base}/v1"
    return base


def _headers(provider: ProviderConfig) -> dict[str, str]:
    key = provider.api_key
    match provider.provider_type:
        case "openrouter":
            named = {"x-title": "Eunoe", **provider.headers}
        case "anthropic" | "minimax":
            named = {"anthropic-version": _ANTHROPIC_VERSION}
        case _:
            named: dict[str, str] = {}
    if not key:
        return named
    match provider.provider_type:
        case "anthropic" | "minimax":
            return named | {"x-api-key": key}
        case "google_ai":
            return named | {"x-goog-api-key": key}
        case "azure":
            return named | {"api-key": key}
        case "baseten" if "inference.baseten.co" not in provider.base_url:
            return named | {"authorization": f"Api-Key {key}"}
        case _:
            return named | {"authorization": f"Bearer {key}"}


def _has_deployments(provider: ProviderConfig) -> bool:
    """Return whether this is Azure's older interface, which has a path for each deployment."""
    return provider.provider_type == "azure" and not provider.base_url.endswith("/v1")


def _path(provider: ProviderConfig, model: str, path: str) -> str:
    return f"openai/deployments/{model}/{path}" if _has_deployments(provider) else path


def _params(provider: ProviderConfig) -> dict[str, str]:
    version = provider.api_version or (_AZURE_VERSION if _has_deployments(provider) else None)
    return {"api-version": version} if version else {}
