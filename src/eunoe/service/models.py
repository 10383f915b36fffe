"""What an agent or an archive speaks and embeds with, found by handle (api 6.6, 17.7)."""

from dataclasses import dataclass, replace
from typing import Protocol

from eunoe.domain.agents import AgentType
from eunoe.domain.drafts import ModelWish
from eunoe.domain.model_settings import adjusted, wished, with_inner_thoughts, with_reasoning
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.engine.ports import Embedder, Model
from eunoe.errors import Invalid


class Models(Protocol):
    """Where models come from: the registry of providers."""

    async def resolve(self, handle: str) -> ModelConfig: ...

    async def resolve_embedding(self, handle: str) -> EmbeddingConfig: ...

    def model_for(self, config: ModelConfig) -> Model: ...

    def embedder_for(self, config: EmbeddingConfig) -> Embedder: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """The handles that count where a caller names none."""

    model: str | None = None
    embedding: str | None = None


async def model_of(
    wish: ModelWish, *, agent_type: AgentType, models: Models, defaults: Defaults
) -> ModelConfig:
    """Return the configuration a new agent starts with; raise `Invalid` where no model is named.

    Raises `ModelUnknown` for a handle that nobody serves.
    """
    handle = wish.handle or defaults.model
    if handle is None:
        raise Invalid("No model was named and this server has no default one; send `model`.")
    return wished(await models.resolve(handle), wish, agent_type=agent_type)


async def changed_model(
    config: ModelConfig, wish: ModelWish, *, agent_type: AgentType, models: Models
) -> ModelConfig:
    """Return `config` as a patch wants it (api 6.30).

    Another handle rebuilds the configuration, of which only the bound of the reply stays.
    """
    if wish.handle is not None:
        kept = config.max_output_tokens
        fresh = wished(await models.resolve(wish.handle), ModelWish(), agent_type=agent_type)
        config = replace(fresh, max_output_tokens=kept)
    if wish.clear_max_output:
        config = replace(config, max_output_tokens=None)
    config = adjusted(config, wish)
    if not (wish.reasoning is None and wish.enable_reasoner is None and wish.settings is None):
        # Whichever says it: a model that is to reason needs its budget, and some cannot (R5).
        on = config.enable_reasoner if wish.reasoning is None else wish.reasoning
        config = with_reasoning(config, on=on)
    if wish.reasoning is not None or wish.inner_thoughts is not None:
        config = with_inner_thoughts(config, wish, agent_type=agent_type)
    return config


async def embedding_of(
    handle: str | None, *, models: Models, defaults: Defaults, chunk_size: int | None = None
) -> EmbeddingConfig | None:
    """Return the embedding asked for, else the default, else null: text search alone (6.5).

    Raises `EmbeddingUnknown` for a handle that nobody serves.
    """
    handle = handle or defaults.embedding
    if handle is None:
        return None
    config = await models.resolve_embedding(handle)
    return config if chunk_size is None else replace(config, chunk_size=chunk_size)
