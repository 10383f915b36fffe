"""Models on the wire: listings, and both forms of an agent's configuration (api 17)."""

from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from eunoe.domain.drafts import ModelWish
from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig, EmbeddingListing, ModelConfig, ModelListing
from eunoe.wire.model_settings import ResponseFormat, format_of, temperature
from eunoe.wire.providers import ProviderType
from eunoe.wire.shape import Shape, shown_as

EMBEDDING_CHUNK_SIZE: Final = 300
EMBEDDING_BATCH_SIZE: Final = 32

_PROVIDER_TYPES: Final = frozenset({*get_args(ProviderType), "moonshot", "moonshot_coding"})
_ENDPOINT_TYPES: Final = frozenset(
    {
        "openai", "anthropic", "google_ai", "google_vertex", "azure", "groq", "ollama",
        "webui", "lmstudio", "llamacpp", "koboldcpp", "vllm", "hugging-face", "minimax",
        "moonshot", "moonshot_coding", "mistral", "together", "bedrock", "deepseek", "xai",
        "zai", "zai_coding", "baseten", "fireworks", "openrouter", "chatgpt_oauth",
    }
)  # fmt: skip
_EMBEDDING_ENDPOINT_TYPES: Final = frozenset(
    {
        "openai", "anthropic", "bedrock", "google_ai", "google_vertex", "azure", "groq",
        "ollama", "lmstudio", "llamacpp", "koboldcpp", "vllm", "hugging-face", "mistral",
        "together",
    }
)  # fmt: skip
_ENDPOINT_ALIASES: Final = {"lmstudio_openai": "lmstudio", "sglang": "vllm"}


# Requests


def _handle(embedding: str) -> str:
    if "/" not in embedding:
        raise ValueError("an embedding handle is written provider/model")
    return embedding


EmbeddingHandle: TypeAlias = Annotated[str, AfterValidator(_handle)]


class LlmConfigBody(Shape):
    """The deprecated `llm_config`.

    Where to connect comes from the provider that is configured, never from the caller,
    so `model_endpoint` is not read.
    """

    model: str
    model_endpoint_type: str
    context_window: Annotated[int, Field(ge=1)]
    provider_name: str | None = None
    handle: str | None = None
    temperature: float | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    enable_reasoner: bool | None = None
    reasoning_effort: str | None = None
    max_reasoning_tokens: int | None = None
    put_inner_thoughts_in_kwargs: bool | None = None
    effort: str | None = None
    verbosity: str | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    strict: bool | None = None

    def wish(self) -> ModelWish:
        """Return the configuration as a wish; without a handle it is provider/model."""
        own = {"effort": self.effort, "verbosity": self.verbosity}
        return self.made(
            ModelWish,
            handle=self.handle or f"{self.provider_name or self.model_endpoint_type}/{self.model}",
            max_output_tokens=self.max_tokens,
            max_reasoning_tokens=self.max_reasoning_tokens or None,
            response_format=format_of(self.response_format),
            settings={name: value for name, value in own.items() if value is not None} or None,
        )


class EmbeddingConfigBody(Shape):
    """The deprecated `embedding_config`, read only for the handle it amounts to."""

    embedding_endpoint_type: str
    embedding_model: str
    embedding_dim: int
    handle: str | None = None

    def as_handle(self) -> str:
        return self.handle or f"{self.embedding_endpoint_type}/{self.embedding_model}"


class EmbeddedBody(Shape):
    """What names an embedding model, by its handle or in the deprecated way."""

    embedding: str | None = None
    embedding_config: EmbeddingConfigBody | None = None

    def embedding_handle(self) -> str | None:
        """Return the handle asked for; the deprecated object counts where no handle was given."""
        if self.embedding is None and self.embedding_config is not None:
            return self.embedding_config.as_handle()
        return self.embedding


# Answers


class LLMConfig(TypedDict):
    model: str
    display_name: str | None
    model_endpoint_type: str
    model_endpoint: str | None
    provider_name: str
    provider_category: str
    model_wrapper: str | None
    context_window: int
    put_inner_thoughts_in_kwargs: bool
    handle: str
    temperature: float
    max_tokens: int | None
    enable_reasoner: bool
    reasoning_effort: str | None
    max_reasoning_tokens: int
    effort: str | None
    frequency_penalty: float | None
    compatibility_type: str | None
    verbosity: str | None
    tier: str | None
    parallel_tool_calls: bool
    response_format: Json | None
    strict: bool
    return_logprobs: bool
    top_logprobs: int | None
    return_token_ids: bool
    tool_call_parser: str | None


class Model(LLMConfig):
    name: str
    provider_type: str
    model_type: Literal["llm"]
    max_context_window: int


class EmbeddingConfigResponse(TypedDict):
    embedding_endpoint_type: str
    embedding_endpoint: str | None
    embedding_model: str
    embedding_dim: int
    embedding_chunk_size: int
    handle: str
    batch_size: int
    azure_endpoint: str | None
    azure_version: str | None
    azure_deployment: str | None


class EmbeddingModel(EmbeddingConfigResponse):
    name: str
    display_name: str
    provider_type: str
    provider_name: str
    model_type: Literal["embedding"]


def llm_config(config: ModelConfig) -> LLMConfig:
    """Return the deprecated configuration object, every field of it (api 6.1)."""
    unsaid = ("model_wrapper", "frequency_penalty", "compatibility_type", "tier", "top_logprobs")
    own = {name: config.settings.get(name) for name in ("effort", "verbosity", "tool_call_parser")}
    return shown_as(
        LLMConfig,
        config,
        display_name=config.model,
        model_endpoint_type=_endpoint_type(config.provider_type),
        model_endpoint=config.endpoint,
        temperature=temperature(config),
        max_tokens=config.max_output_tokens,
        return_logprobs=False,
        return_token_ids=False,
        **own,
        **dict.fromkeys(unsaid),
    )


def embedding_config(config: EmbeddingConfig | None) -> EmbeddingConfigResponse | None:
    if config is None:
        return None
    return _embedding(config, chunk_size=config.chunk_size, batch_size=config.batch_size)


def _embedding(
    one: EmbeddingConfig | EmbeddingListing, *, chunk_size: int, batch_size: int
) -> EmbeddingConfigResponse:
    return {
        "embedding_endpoint_type": _embedding_endpoint_type(one.provider_type),
        "embedding_endpoint": one.endpoint,
        "embedding_model": one.model,
        "embedding_dim": one.dimensions,
        "embedding_chunk_size": chunk_size,
        "handle": one.handle,
        "batch_size": batch_size,
        "azure_endpoint": None,
        "azure_version": None,
        "azure_deployment": None,
    }


def listed_model(listing: ModelListing) -> Model:
    """Return one entry of the model list, with the deprecated configuration fields (17.3)."""
    config = listing.config(max_output_tokens=listing.max_output_tokens)
    return {
        **llm_config(config),
        "name": listing.model,
        "provider_type": _provider_type(listing.provider_type),
        "model_type": "llm",
        "max_context_window": listing.context_window,
    }


def listed_embedding_model(listing: EmbeddingListing) -> EmbeddingModel:
    """Return one entry of the embedding model list (17.4)."""
    return {
        **_embedding(listing, chunk_size=EMBEDDING_CHUNK_SIZE, batch_size=EMBEDDING_BATCH_SIZE),
        "name": listing.model,
        "display_name": listing.model,
        "provider_type": _provider_type(listing.provider_type),
        "provider_name": listing.provider_name,
        "model_type": "embedding",
    }


def _provider_type(provider_type: str) -> str:
    """Return a provider type that the clients know; a server of our own speaks OpenAI's dialect."""
    return provider_type if provider_type in _PROVIDER_TYPES else "openai"


def _endpoint_type(provider_type: str) -> str:
    shown = _ENDPOINT_ALIASES.get(provider_type, provider_type)
    return shown if shown in _ENDPOINT_TYPES else "openai"


def _embedding_endpoint_type(provider_type: str) -> str:
    shown = _ENDPOINT_ALIASES.get(provider_type, provider_type)
    return shown if shown in _EMBEDDING_ENDPOINT_TYPES else "openai"
