"""A conversation: a message list of its own beside the agent's, with the same memory."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from eunoe.domain.agents import Agent
from eunoe.domain.drafts import ModelWish
from eunoe.domain.messages import Json
from eunoe.domain.model_settings import wished
from eunoe.domain.models import ModelConfig
from eunoe.domain.origins import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation(Stored):
    """`model` comes before the agent's, null leaves that; `model_settings` are its own (L5).

    `context_window_limit` is in tokens.
    """

    id: str
    agent_id: str
    summary: str | None = None
    description: str | None = None
    model: str | None = None
    model_settings: Json | None = None
    context_window_limit: int | None = None
    hidden: bool | None = None
    archived_at: datetime | None = None
    last_message_at: datetime | None = None
    last_run_completion: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationDraft:
    """`isolated_labels` name the agent's blocks that are copied for the conversation alone."""

    values: Json = field(default_factory=dict[str, object])
    isolated_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationState:
    """A conversation with the ids in its window and those of its own blocks."""

    conversation: Conversation
    message_ids: tuple[str, ...] = ()
    block_ids: tuple[str, ...] = ()


def voiced(agent: Agent, conversation: Conversation, *, listed: ModelConfig | None) -> Agent:
    """Return the agent as it speaks in the conversation; what is stored of it stays (L5).

    `listed` is the conversation's model as its provider lists it, null where it names
    none: then its settings count for nothing. The agent's window is kept, or the
    conversation's own, up to what that model has (streaming 1.6). Raises `Invalid` for
    settings that contradict each other.
    """
    window = conversation.context_window_limit or agent.model.context_window
    if listed is None:
        return replace(agent, model=replace(agent.model, context_window=window))
    wish = ModelWish(
        context_window=min(window, listed.context_window), settings=conversation.model_settings
    )
    return replace(agent, model=wished(listed, wish, agent_type=agent.agent_type))
