"""A conversation: a message list of its own beside the agent's, with the same memory."""

from dataclasses import dataclass
from datetime import datetime

from eunoe.domain.messages import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """`model` and `model_settings` come before the agent's, null leaves those (api 11.10)."""

    id: str
    agent_id: str
    summary: str | None = None
    model: str | None = None
    model_settings: Json | None = None
    last_message_at: datetime | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime
