"""Conversations on the wire (api 11)."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, field_validator
from typing_extensions import TypedDict

from eunoe.domain.conversations import ConversationDraft, ConversationState
from eunoe.domain.messages import Json
from eunoe.errors import Invalid
from eunoe.wire.model_settings import ModelSettingsBody
from eunoe.wire.overviews import CompactBody
from eunoe.wire.shape import Shape, shown_as
from eunoe.wire.times import Moment

Tokens = Annotated[int, Field(ge=1, le=2**53)]


class Conversation(TypedDict):
    id: str
    agent_id: str
    summary: str | None
    description: str | None
    in_context_message_ids: list[str]
    isolated_block_ids: list[str]
    model: str | None
    model_settings: Json | None
    context_window_limit: int | None
    archived: bool
    archived_at: str | None
    last_message_at: str | None
    created_at: str
    updated_at: str
    created_by_id: str | None
    last_updated_by_id: str | None


class _ConversationBody(Shape):
    """A null field says nothing. `model_settings` count only together with a model (6.5)."""

    summary: str | None = None
    description: str | None = None
    model: str | None = None
    model_settings: ModelSettingsBody | None = None
    context_window_limit: Tokens | None = None

    @field_validator("model")
    @classmethod
    def _model_is_a_handle(cls, model: str | None) -> str | None:
        provider, _, name = (model or "").partition("/")
        if model is not None and not (provider and name):
            raise Invalid(f"The model `{model[:80]}` is not a handle; write it provider/model.")
        return model

    def values(self) -> Json:
        """Return what was given, by the names of the conversation's fields."""
        plain = ("summary", "description", "model", "context_window_limit")
        given: Json = {
            name: getattr(self, name) for name in plain if getattr(self, name) is not None
        }
        if self.model_settings is not None:
            given["model_settings"] = self.model_settings.sent()
        return given


class CreateConversation(_ConversationBody):
    isolated_block_labels: list[str] | None = None
    hidden: bool | None = None

    def draft(self) -> ConversationDraft:
        return ConversationDraft(
            values={**self.values(), "hidden": self.hidden},
            isolated_labels=tuple(self.isolated_block_labels or ()),
        )


class UpdateConversation(_ConversationBody):
    last_message_at: Moment | None = None
    archived: bool | None = None

    def patch(self) -> Json:
        """Return the fields to change; a null `context_window_limit` takes the agent's again."""
        given = self.values()
        if "context_window_limit" in self.model_fields_set:
            given["context_window_limit"] = self.context_window_limit
        if self.last_message_at is not None:
            given["last_message_at"] = self.last_message_at
        if self.archived is not None:
            given["archived_at"] = datetime.now(UTC) if self.archived else None
        return given


class CompactionRequest(CompactBody):
    """The body of compact and recompile: `agent_id` says whose the `default` conversation is."""

    agent_id: str | None = None


class CompactionResponse(TypedDict):
    summary: str
    num_messages_before: int
    num_messages_after: int


def shown(state: ConversationState) -> Conversation:
    one = state.conversation
    return shown_as(
        Conversation,
        one,
        in_context_message_ids=state.message_ids,
        isolated_block_ids=state.block_ids,
        archived=one.archived_at is not None,
    )
