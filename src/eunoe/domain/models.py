"""Which model an agent speaks through, and how it is asked."""

from dataclasses import asdict, dataclass, field, replace
from typing import Final, Literal, TypeAlias

from eunoe.domain.messages import Json

GLOBAL_CONTEXT_CAP: Final = 128_000
UNKNOWN_CONTEXT_WINDOW: Final = 30_000

Category: TypeAlias = Literal["base", "byok"]
"""Whose a provider is: the server's own, or one that a caller brought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """How an agent's model is called; `context_window` is in tokens.

    `settings` is what the caller sent beyond the fields here, kept so that a
    provider's own options survive. `put_inner_thoughts_in_kwargs` has a model of the
    heartbeat loop that does not reason by itself think in an argument of its calls.
    """

    handle: str
    model: str
    provider_type: str
    provider_name: str
    provider_category: Category = "base"
    endpoint: str | None = None
    context_window: int = UNKNOWN_CONTEXT_WINDOW
    max_output_tokens: int | None = None
    temperature: float | None = None
    parallel_tool_calls: bool = False
    enable_reasoner: bool = True
    reasoning_effort: str | None = None
    max_reasoning_tokens: int = 0
    strict: bool = False
    response_format: Json | None = None
    settings: Json = field(default_factory=dict[str, object])
    put_inner_thoughts_in_kwargs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingConfig:
    """How texts become vectors of `dimensions` floats."""

    handle: str
    model: str
    provider_type: str
    endpoint: str | None = None
    dimensions: int
    chunk_size: int = 300
    batch_size: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """What a provider serves; `endpoint` is where."""

    handle: str
    model: str
    provider_type: str
    provider_name: str
    endpoint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelListing(_Listing):
    """A model that a provider serves; `context_window` as the endpoint reports it, in tokens."""

    context_window: int
    max_output_tokens: int | None = None
    provider_category: Category = "base"

    def config(self, *, max_output_tokens: int | None) -> ModelConfig:
        """Return how the model is called where nobody has said anything of it yet."""
        return replace(ModelConfig(**asdict(self)), max_output_tokens=max_output_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingListing(_Listing):
    dimensions: int
