"""The models that an agent file names, as this server has them (api 7.2)."""

from dataclasses import dataclass, field, replace

from eunoe.domain.agent_files import AgentRecord
from eunoe.domain.agents import Agent
from eunoe.domain.compaction_settings import followed
from eunoe.domain.drafts import ModelWish
from eunoe.domain.folders import Folder
from eunoe.domain.models import EmbeddingConfig
from eunoe.errors import EmbeddingUnknown, ModelUnknown
from eunoe.service.models import Defaults, Models, embedding_of, model_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What is served here; `told` gathers what a file names and nobody serves."""

    models: Models
    defaults: Defaults
    told: list[str] = field(default_factory=list[str])


async def configured(
    record: AgentRecord, here: Here, *, model: str | None, embedding: str | None
) -> AgentRecord:
    """Return the agent with a model and an embedding of this server, as far as it has them.

    A file that names no model leaves both to the server. Raises `ModelUnknown` and
    `EmbeddingUnknown` for the handles that are wished for.
    """
    agent, models, defaults = record.agent, here.models, here.defaults
    wanted = model or record.wanted_model
    says_nothing = not agent.model.handle and record.wanted_model is None
    if wanted is not None or says_nothing:
        wish = ModelWish(handle=wanted)
        config = await model_of(wish, agent_type=agent.agent_type, models=models, defaults=defaults)
        compaction = followed(agent.compaction, before=agent.model, after=config)
        agent = replace(agent, model=config, compaction=compaction)
    else:
        agent = await _found_model(agent, here)
    handle = embedding or record.wanted_embedding
    if handle is not None or (says_nothing and agent.embedding is None):
        chosen = await embedding_of(
            handle, models=models, defaults=defaults if says_nothing else Defaults()
        )
        agent = replace(agent, embedding=chosen)
    elif agent.embedding is not None:
        agent = replace(agent, embedding=await _found_embedding(agent.embedding, here))
    return replace(record, agent=agent)


async def embedded(folder: Folder, here: Here, *, embedding: str | None) -> Folder:
    """Return the folder with an embedding of this server, as far as it has one."""
    config = folder.embedding
    if embedding is None and config.model:
        return replace(folder, embedding=await _found_embedding(config, here))
    chosen = await embedding_of(
        embedding or config.handle, models=here.models, defaults=here.defaults
    )
    return folder if chosen is None else replace(folder, embedding=chosen)


async def _found_model(agent: Agent, here: Here) -> Agent:
    """Return the agent with where its model is served here; how it is asked stays the file's."""
    config = agent.model
    try:
        served = await here.models.resolve(config.handle)
    except ModelUnknown:
        here.told.append(
            f"{agent.name}: nobody serves {config.handle} here; the agent answers once its model "
            "is changed or a provider of it is configured."
        )
        return agent
    model = replace(
        config,
        provider_type=served.provider_type,
        provider_name=served.provider_name,
        endpoint=served.endpoint,
    )
    return replace(agent, model=model)


async def _found_embedding(config: EmbeddingConfig, here: Here) -> EmbeddingConfig:
    try:
        served = await here.models.resolve_embedding(config.handle)
    except EmbeddingUnknown:
        here.told.append(
            f"Nobody serves the embedding {config.handle} here; what was said is found by its "
            "words until another is chosen."
        )
        return config
    return replace(served, chunk_size=config.chunk_size, batch_size=config.batch_size)
