"""What the runs need of others: models, and what an agent's tools reach."""

from typing import Protocol

import structlog

from eunoe.domain.agents import Agent
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.domain.passages import Archive
from eunoe.domain.runs import Run
from eunoe.domain.tools import Tool
from eunoe.engine.cancellation import Cancellation
from eunoe.engine.ports import Embedder, Model, Toolbox
from eunoe.errors import EmbeddingUnknown
from eunoe.store.db import Actor
from eunoe.tools.peers import Peers

_log = structlog.get_logger("eunoe.worker")


class Models(Protocol):
    """The models that one organization can name."""

    async def resolve(self, handle: str) -> ModelConfig: ...

    def model_for(self, config: ModelConfig) -> Model: ...

    def embedder_for(self, config: EmbeddingConfig) -> Embedder: ...


class Providers(Protocol):
    """Where models come from: those that everybody has, and those that an organization brought."""

    def of(self, organization_id: str) -> Models: ...


class Toolboxes(Protocol):
    """Makes the toolbox of an agent for one run."""

    def __call__(
        self,
        *,
        actor: Actor,
        agent: Agent,
        tools: tuple[Tool, ...],
        peers: Peers,
        conversation_id: str | None,
    ) -> Toolbox: ...


class MakePeers(Protocol):
    """Gives an agent its way to the others for one run."""

    def __call__(
        self, *, actor: Actor, agent: Agent, run: Run, cancellation: Cancellation
    ) -> Peers: ...


def embedder_of(models: Models, owner: Agent | Archive) -> Embedder | None:
    """Return who embeds for an agent or an archive; without one things are found by words."""
    if owner.embedding is None:
        return None
    try:
        return models.embedder_for(owner.embedding)
    except EmbeddingUnknown as error:
        _log.warning("embedder.missing", handle=owner.embedding.handle, code=error.code)
        return None
