"""Agents on the wire: what a caller sends to create or change one (api 6.5 to 6.15, 6.30, 6.40)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from eunoe.domain.agents import AgentType, CompactionMode
from eunoe.domain.alike import alike
from eunoe.domain.drafts import AgentDraft, AgentPatch, CompactionPatch, ModelWish, OpeningMessage
from eunoe.domain.messages import Json
from eunoe.domain.runs import StopReason
from eunoe.domain.templates import Instance
from eunoe.domain.times import known_zone
from eunoe.errors import Invalid
from eunoe.wire.blocks import CreateBlockBody
from eunoe.wire.content import Content, FetchImage, parts_of
from eunoe.wire.model_settings import ModelSettingsBody, ResponseFormat, format_of
from eunoe.wire.models import EmbeddingConfigBody, EmbeddingHandle, LlmConfigBody
from eunoe.wire.references import AgentName, BlockId, FolderId, IdentityId, MessageId, ToolId
from eunoe.wire.secrets import SecretsBody, first_sent
from eunoe.wire.shape import Shape, distinct, distinct_if_sent
from eunoe.wire.times import Moment
from eunoe.wire.tool_rules import ToolRuleBody, stored

SUBAGENT_TAG: Final = "role:subagent"
GIT_MEMORY_TAG: Final = "git-memory-enabled"
MAX_FILES_OPEN: Final = 1_000
MAX_FILE_CHARS: Final = 2**31 - 1


class CompactionBody(Shape):
    mode: CompactionMode | None = None
    model: str | None = None
    model_settings: ModelSettingsBody | None = None
    prompt: str | None = None
    prompt_acknowledgement: bool | None = None
    clip_chars: Annotated[int, Field(ge=1)] | None = None
    sliding_window_percentage: Annotated[float, Field(gt=0, lt=1)] | None = None

    def patch(self) -> CompactionPatch:
        """Return the fields that were sent; `clip_chars` alone may be set to null (6.20)."""
        changes = self.model_dump(exclude_unset=True)
        if self.model_settings is not None:
            changes["model_settings"] = self.model_settings.sent()
        return CompactionPatch(
            changes={
                name: value
                for name, value in changes.items()
                if value is not None or name == "clip_chars"
            }
        )


class OpeningBody(Shape):
    """One entry of `initial_message_sequence` (6.13)."""

    type: Literal["message"] | None = "message"
    role: Literal["user", "system", "assistant"]
    content: Content
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None

    async def message(self, *, fetch: FetchImage) -> OpeningMessage:
        return self.made(OpeningMessage, content=await parts_of(self.content, fetch=fetch))


class _AgentBody(Shape):
    """What create and update have in common. Null says nothing, unknown fields are ignored."""

    name: AgentName | None = None
    system: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    timezone: str | None = None
    tags: list[str] | None = None
    hidden: bool | None = None
    tool_rules: list[ToolRuleBody] | None = None
    tool_ids: list[ToolId] | None = None
    block_ids: list[BlockId] | None = None
    folder_ids: list[FolderId] | None = None
    source_ids: list[FolderId] | None = None
    model: str | None = None
    llm_config: LlmConfigBody | None = None
    model_settings: ModelSettingsBody | None = None
    embedding: EmbeddingHandle | None = None
    embedding_config: EmbeddingConfigBody | None = None
    context_window_limit: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    reasoning: bool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    compaction_settings: CompactionBody | None = None
    max_files_open: Annotated[int, Field(ge=0)] | None = None
    per_file_view_window_char_limit: Annotated[int, Field(ge=0)] | None = None
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    identity_ids: list[IdentityId] | None = None
    secrets: SecretsBody | None = None
    tool_exec_environment_variables: SecretsBody | None = None

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, timezone: str | None) -> str | None:
        if timezone is not None and known_zone(timezone) is None:
            raise ValueError("not an IANA time zone such as Europe/Rome")
        return timezone

    @field_validator("tags")
    @classmethod
    def _tags_are_served(cls, tags: list[str] | None) -> list[str] | None:
        if tags is not None and GIT_MEMORY_TAG in tags:
            raise ValueError(f"the tag {GIT_MEMORY_TAG} is not served; leave it out")
        return tags

    @field_validator("model")
    @classmethod
    def _model_is_a_handle(cls, model: str | None) -> str | None:
        # 400, where a bad embedding handle is 422 (api 3.4.3).
        if model is not None and "/" not in model:
            raise Invalid(f"The model `{model[:80]}` is not a handle; write it provider/model.")
        return model

    @model_validator(mode="after")
    def _files_are_bounded(self) -> "_AgentBody":
        if (self.max_files_open or 0) > MAX_FILES_OPEN:
            raise Invalid(f"max_files_open may be {MAX_FILES_OPEN} at most.")
        if (self.per_file_view_window_char_limit or 0) > MAX_FILE_CHARS:
            raise Invalid(f"per_file_view_window_char_limit may be {MAX_FILE_CHARS} at most.")
        return self

    def secret_values(self) -> Mapping[str, str] | None:
        """Return the secrets sent, null where none were; `secrets` wins (6.14.1)."""
        return first_sent(self.secrets, self.tool_exec_environment_variables)

    def folders(self) -> tuple[str, ...] | None:
        """Return the folders asked for, by both names that they have; null for no word of them."""
        if self.folder_ids is None and self.source_ids is None:
            return None
        return tuple(dict.fromkeys([*(self.folder_ids or ()), *(self.source_ids or ())]))

    def embedding_handle(self) -> str | None:
        """Return the embedding asked for; the deprecated object wins, as for the model (6.6.1)."""
        if self.embedding_config is not None:
            return self.embedding_config.as_handle()
        return self.embedding

    def wish(self) -> ModelWish:
        """Return what was asked of the model; `llm_config` wins over the handle (6.6.1)."""
        base = ModelWish() if self.llm_config is None else self.llm_config.wish()
        sent = {} if self.model_settings is None else self.model_settings.sent()
        settings = (base.settings or {}) | sent
        return replace(
            base,
            handle=base.handle or self.model,
            context_window=self.context_window_limit or base.context_window,
            max_output_tokens=self.max_tokens or base.max_output_tokens,
            reasoning=self.reasoning,
            parallel_tool_calls=_first(self.parallel_tool_calls, base.parallel_tool_calls),
            response_format=format_of(self.response_format) or base.response_format,
            settings=settings or None,
        )


class CreateAgentBody(_AgentBody):
    agent_type: AgentType = "letta_v1_agent"
    memory_blocks: list[CreateBlockBody] | None = None
    tools: list[str] | None = None
    include_base_tools: bool = True
    include_multi_agent_tools: bool = False
    include_base_tool_rules: bool | None = None
    initial_message_sequence: list[OpeningBody] | None = None
    message_buffer_autoclear: bool = False
    enable_sleeptime: bool | None = None
    embedding_chunk_size: Annotated[int, Field(ge=1)] | None = None
    enable_reasoner: bool | None = None
    max_reasoning_tokens: Annotated[int, Field(ge=0)] | None = None
    from_template: str | None = None
    memory_variables: dict[str, str] | None = None
    include_default_source: bool | None = None
    template: bool | None = None
    project: str | None = None

    @model_validator(mode="after")
    def _check_template(self) -> Self:
        if self.from_template is not None:
            usual = CreateAgentBody.model_fields
            more = [
                one
                for one in sorted(self.model_fields_set - _OF_AN_INSTANCE)
                if getattr(self, one) != usual[one].default
            ]
            if more:
                raise Invalid(_SAID_BY_TEMPLATE.format(", ".join(more)))
        elif self.memory_variables:
            raise Invalid("memory_variables fill a template's slots; name it in from_template.")
        if self.template:
            raise Invalid("A template is made of an agent that is there, by templates.create.")
        if self.include_default_source:
            raise Invalid("No folder is made with an agent; make one and name it in folder_ids.")
        return self

    @model_validator(mode="after")
    def _check_remembered(self) -> Self:
        if self.agent_type == "voice_convo_agent" and not self.enable_sleeptime:
            raise ValueError("An agent of type voice_convo_agent needs enable_sleeptime=true.")
        return self

    async def draft(self, *, fetch: FetchImage) -> AgentDraft:
        """Return the agent asked for, the images of its opening messages fetched."""
        opening = self.initial_message_sequence
        tags = tuple(sorted(set(self.tags or ())))
        settings = self.compaction_settings
        return self.made(
            AgentDraft,
            model=self._create_wish(),
            embedding=self.embedding_handle(),
            compaction=None if settings is None else settings.patch(),
            memory_blocks=tuple(body.draft() for body in self.memory_blocks or ()),
            block_ids=tuple(self.block_ids or ()),
            tools=distinct(self.tools),
            tool_ids=distinct(self.tool_ids),
            folder_ids=self.folders() or (),
            tool_rules=stored(self.tool_rules),
            opening=None
            if opening is None
            else tuple([await one.message(fetch=fetch) for one in opening]),
            tags=tags,
            response_format=format_of(self.response_format),
            hidden=True if SUBAGENT_TAG in tags else self.hidden,
            identity_ids=distinct(self.identity_ids),
            secrets=self.secret_values() or {},
        )

    async def instance(self, *, fetch: FetchImage) -> Instance:
        """Return what is particular to the agent that is made of `from_template`."""
        draft = await self.draft(fetch=fetch)
        return alike(Instance, draft, variables=self.memory_variables or {})

    def _create_wish(self) -> ModelWish:
        wish = self.wish()
        return replace(
            wish,
            enable_reasoner=_first(self.enable_reasoner, wish.enable_reasoner),
            max_reasoning_tokens=self.max_reasoning_tokens or wish.max_reasoning_tokens,
        )


_OF_AN_INSTANCE: Final = {
    "from_template", "memory_variables", "name", "tags", "initial_message_sequence",
    "identity_ids", "secrets", "tool_exec_environment_variables", "project",
}  # fmt: skip
_SAID_BY_TEMPLATE: Final = "The template says {}; leave that out, and change the agent afterwards."


class UpdateAgentBody(_AgentBody):
    message_ids: list[MessageId] | None = None
    message_buffer_autoclear: bool | None = None
    enable_sleeptime: bool | None = None
    last_run_completion: Moment | None = None
    last_run_duration_ms: Annotated[int, Field(ge=0, le=2**53)] | None = None
    last_stop_reason: StopReason | None = None

    def patch(self) -> AgentPatch:
        """Return what is to change; null says nothing, save for `max_tokens` (6.40)."""
        settings = self.compaction_settings
        given: Json = {name: getattr(self, name) for name in _PLAIN}
        given["tool_rules"] = stored(self.tool_rules)
        given["tags"] = distinct_if_sent(self.tags)
        given["response_format"] = format_of(self.response_format)
        return AgentPatch(
            values={name: value for name, value in given.items() if value is not None},
            model=self._update_wish(),
            embedding=self.embedding_handle(),
            compaction=None if settings is None else settings.patch(),
            block_ids=distinct_if_sent(self.block_ids),
            tool_ids=distinct_if_sent(self.tool_ids),
            folder_ids=self.folders(),
            message_ids=None if self.message_ids is None else tuple(self.message_ids),
            identity_ids=distinct_if_sent(self.identity_ids),
            secrets=self.secret_values(),
        )

    def _update_wish(self) -> ModelWish | None:
        wish = replace(
            self.wish(),
            clear_max_output="max_tokens" in self.model_fields_set and self.max_tokens is None,
        )
        return None if wish == ModelWish() else wish


_PLAIN: Final = (
    "name", "system", "description", "metadata", "timezone", "hidden", "message_buffer_autoclear",
    "enable_sleeptime", "max_files_open", "per_file_view_window_char_limit", "project_id",
    "template_id", "base_template_id", "last_run_completion", "last_run_duration_ms",
    "last_stop_reason",
)  # fmt: skip


def _first(given: bool | None, otherwise: bool | None) -> bool | None:
    return otherwise if given is None else given
