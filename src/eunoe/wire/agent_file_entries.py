"""The entries of an agent file as they are read; unknown fields are tolerated and told (7.2)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from eunoe.domain.agents import Agent, AgentType, CompactionSettings
from eunoe.domain.arguments import REQUEST_HEARTBEAT
from eunoe.domain.blocks import Block
from eunoe.domain.compaction_settings import filled
from eunoe.domain.groups import Group, check_buffers
from eunoe.domain.messages import Json
from eunoe.domain.models import ModelConfig
from eunoe.domain.names import plain, random_name
from eunoe.domain.systems import default_system
from eunoe.domain.tools import RETURN_CHAR_LIMIT, Tool, ToolType
from eunoe.wire.agent_file_holdings import FileEntry, HeldEntry, ServerEntry, SourceEntry
from eunoe.wire.agent_file_messages import MessageEntry
from eunoe.wire.agent_file_shapes import EmbeddingEntry, Loose, Name
from eunoe.wire.agent_requests import CompactionBody
from eunoe.wire.blocks import CreateBlockBody
from eunoe.wire.call_policies import MOST_POLICIES, PoliciesOfCalls, Policy
from eunoe.wire.model_settings import ModelSettingsBody, ResponseFormat, format_of
from eunoe.wire.models import LlmConfigBody
from eunoe.wire.secrets import SecretKey
from eunoe.wire.shape import Shape, distinct
from eunoe.wire.tool_rules import ToolRuleBody, stored

# Names of rules in files of the first servers.
_OLD_RULES: Final = {
    "InitToolRule": "run_first",
    "TerminalToolRule": "exit_loop",
    "ContinueToolRule": "continue_loop",
    "ToolRule": "constrain_child_tools",
    "ChildToolRule": "constrain_child_tools",
    "ParentToolRule": "parent_last_tool",
    "ConditionalToolRule": "conditional",
    "MaxCountPerStepToolRule": "max_count_per_step",
    "RequiredBeforeExitToolRule": "required_before_exit",
    "RequiresApprovalToolRule": "requires_approval",
}
_rules: Final[TypeAdapter[list[ToolRuleBody]]] = TypeAdapter(list[ToolRuleBody])

Turns = Annotated[int, Field(ge=1, le=2**31)]
Files = Annotated[int, Field(ge=0, le=2**31 - 1)]


class BlockEntry(CreateBlockBody):
    model_config = ConfigDict(extra="allow")

    id: Name
    label: Name


def block_of(body: CreateBlockBody, block_id: str, *, at: datetime) -> Block:
    """Return a block; a text that outgrew its limit keeps its whole length."""
    limit = max(body.limit, len(body.value))
    return body.made(Block, id=block_id, tags=tuple(body.tags), limit=limit, created_at=at)


class _Schema(Shape):
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ToolEntry(Loose):
    id: Name
    name: Name | None = None
    tool_type: str = "custom"
    description: str | None = None
    source_type: str | None = None
    source_code: str | None = None
    json_schema: _Schema | None = None
    args_json_schema: dict[str, Any] | None = None
    tags: list[str] | None = None
    return_char_limit: Annotated[int, Field(ge=1, le=2**53)] | None = None
    pip_requirements: list[dict[str, Any]] | None = None
    npm_requirements: list[dict[str, Any]] | None = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = None
    metadata_: dict[str, Any] | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    project_id: str | None = None

    def tool(self) -> Tool:
        schema = self.json_schema or _Schema()
        return Tool(
            id=self.id,
            name=self.name or self.id,
            tool_type=cast("ToolType", self.tool_type),
            description=self.description or schema.description or "",
            parameters=_without_heartbeat(schema.parameters or {}),
            tags=tuple(self.tags or ()),
            source_type=self.source_type,
            source_code=self.source_code,
            args_json_schema=self.args_json_schema,
            return_char_limit=self.return_char_limit or RETURN_CHAR_LIMIT,
            pip_requirements=tuple(self.pip_requirements or ()),
            npm_requirements=tuple(self.npm_requirements or ()),
            default_requires_approval=self.default_requires_approval,
            parallel=bool(self.enable_parallel_execution),
            metadata=self.metadata_ or {},
        )


class _Manager(Loose):
    manager_type: Literal[
        "round_robin", "supervisor", "dynamic", "sleeptime", "voice_sleeptime"
    ] = "round_robin"
    manager_agent_id: str | None = None
    termination_token: str | None = None
    max_turns: Turns | None = None
    sleeptime_agent_frequency: Turns | None = None
    max_message_buffer_length: Annotated[int, Field(le=2**31)] | None = None
    min_message_buffer_length: int | None = None

    @model_validator(mode="after")
    def _has_its_manager(self) -> Self:
        if self.manager_type != "round_robin" and self.manager_agent_id is None:
            raise ValueError(f"a {self.manager_type} group needs a manager_agent_id")
        return self


class GroupEntry(Loose):
    id: Name
    agent_ids: list[str]
    description: str = ""
    manager_config: _Manager = Field(default_factory=_Manager)
    project_id: str | None = None
    shared_block_ids: list[str] = Field(default_factory=list[str])
    hidden: bool | None = None

    def group(self, *, at: datetime) -> Group:
        config = self.manager_config
        check_buffers(config.max_message_buffer_length, config.min_message_buffer_length)
        return Group(
            id=self.id,
            agent_ids=distinct(self.agent_ids),
            description=self.description,
            shared_block_ids=distinct(self.shared_block_ids),
            hidden=self.hidden,
            turns_counter=-1 if config.manager_type == "sleeptime" else None,
            created_at=at,
            updated_at=at,
            **{name: getattr(config, name) for name in _Manager.model_fields},
        )


class AgentEntry(Loose):
    id: Name
    name: str | None = None
    agent_type: AgentType = "letta_v1_agent"
    system: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    tags: list[Name] | None = None
    timezone: str | None = None
    hidden: bool | None = None
    tool_ids: list[str] | None = None
    block_ids: list[str] | None = None
    memory_blocks: list[CreateBlockBody] | None = None
    tool_rules: list[dict[str, Any]] | None = None
    call_policies: list[Policy] | None = Field(default=None, max_length=MOST_POLICIES)
    llm_config: LlmConfigBody | None = None
    embedding_config: EmbeddingEntry | None = None
    model: str | None = None
    embedding: str | None = None
    model_settings: ModelSettingsBody | None = None
    compaction_settings: CompactionBody | None = None
    message_buffer_autoclear: bool | None = None
    response_format: ResponseFormat | None = None
    max_files_open: Files | None = None
    per_file_view_window_char_limit: Files | None = None
    secrets: dict[SecretKey, str] | None = None
    tool_exec_environment_variables: dict[SecretKey, str] | None = None
    in_context_message_ids: list[str] | None = None
    messages: list[MessageEntry] | None = None
    source_ids: list[str] | None = None
    folder_ids: list[str] | None = None
    files_agents: list[HeldEntry] | None = None

    @field_validator("tool_rules")
    @classmethod
    def _rules_are_known(cls, given: list[Json] | None) -> list[Json] | None:
        """Return the rules as they are kept; one that is so already keeps the order of its keys."""
        if given is None:
            return None
        renamed = [
            one | {"type": _OLD_RULES.get(str(one.get("type")), one.get("type"))} for one in given
        ]
        try:
            kept = stored(_rules.validate_python(renamed)) or ()
        except ValidationError as error:
            raise ValueError(told(error)) from error
        return [one if one == rule else rule for one, rule in zip(given, kept, strict=True)]

    def agent(self, *, at: datetime) -> Agent:
        config = self.model_config_of()
        return self.made(
            Agent,
            name=self.plain_name() or random_name(),
            system=default_system(self.agent_type) if self.system is None else self.system,
            model=config,
            embedding=None if self.embedding_config is None else self.embedding_config.config(),
            compaction=self._compaction(config),
            timezone=self.timezone or "UTC",
            tool_rules=tuple(self.tool_rules or ()),
            call_policies=PoliciesOfCalls(policies=self.call_policies or []).given(),
            tags=distinct(self.tags),
            message_buffer_autoclear=bool(self.message_buffer_autoclear),
            response_format=format_of(self.response_format),
            created_at=at,
            updated_at=at,
        )

    def plain_name(self) -> str:
        """Return the name in the characters that names are made of (3.4.3)."""
        return plain(self.name or "").strip()

    def model_config_of(self) -> ModelConfig:
        """Return the configuration as the file has it, whoever serves that model here."""
        sent = {} if self.model_settings is None else self.model_settings.sent()
        body = self.llm_config
        if body is None:
            return ModelConfig(handle="", model="", provider_type="openai", provider_name="")
        wish = body.wish()
        handle = wish.handle or ""
        return body.made(
            ModelConfig,
            handle=handle,
            provider_type=body.model_endpoint_type,
            provider_name=body.provider_name or handle.partition("/")[0],
            max_output_tokens=body.max_tokens,
            parallel_tool_calls=bool(body.parallel_tool_calls),
            enable_reasoner=body.enable_reasoner is not False,
            max_reasoning_tokens=body.max_reasoning_tokens or 0,
            strict=bool(body.strict),
            response_format=wish.response_format,
            settings=(wish.settings or {}) | sent,
            put_inner_thoughts_in_kwargs=bool(body.put_inner_thoughts_in_kwargs),
        )

    def _compaction(self, config: ModelConfig) -> CompactionSettings:
        body = self.compaction_settings
        return filled(None if body is None else body.patch(), model=config)


class FileBody(Loose):
    """The graph of entries; a part that is missing is empty."""

    agents: Annotated[list[AgentEntry], Field(min_length=1)]
    groups: list[GroupEntry] = Field(default_factory=list[GroupEntry])
    blocks: list[BlockEntry] = Field(default_factory=list[BlockEntry])
    tools: list[ToolEntry] = Field(default_factory=list[ToolEntry])
    files: list[FileEntry] = Field(default_factory=list[FileEntry])
    sources: list[SourceEntry] = Field(default_factory=list[SourceEntry])
    mcp_servers: list[ServerEntry] = Field(default_factory=list[ServerEntry])
    skills: list[dict[str, Any]] = Field(default_factory=list[Json])
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    created_at: str | None = None


# Fields of the V1 form that say how an agent was asked for, not what it is.
_PASSED_OVER: Final = frozenset(
    {
        "base_template_id", "context_window_limit", "embedding_chunk_size", "enable_reasoner",
        "enable_sleeptime", "from_template", "group_ids",
        "identity_ids", "include_base_tool_rules", "include_base_tools", "include_default_source",
        "include_multi_agent_tools", "initial_message_sequence", "max_reasoning_tokens",
        "max_tokens", "memory_variables", "parallel_tool_calls", "project", "project_id",
        "reasoning", "template", "template_id", "tools", "created_at", "updated_at",
    }
)  # fmt: skip


def unknown_fields(value: object, place: str = "") -> Iterator[str]:
    """Yield where the file holds a field that nobody reads."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            if name not in _PASSED_OVER:
                yield f"{place}.{name}".removeprefix(".")
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{place}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for at, one in enumerate(cast("list[object]", value)):
            yield from unknown_fields(one, f"{place}[{at}]")


def told(error: ValidationError, *, place: str = "") -> str:
    """Return what is wrong with a file and where, the first few of many."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    above = (place,) if place else ()
    lines = [f"{place_of((*above, *one['loc']))}: {one['msg']}" for one in found[:5]]
    more = len(found) - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def place_of(location: Sequence[int | str]) -> str:
    """Return a place in the file as `agents[0].messages[3].role`."""
    path = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in location)
    return path.removeprefix(".") or "the file"


def _without_heartbeat(parameters: Mapping[str, Any]) -> Json:
    """Return a tool's parameters without the one that older servers put in for the loop."""
    made = dict(parameters)
    properties = made.get("properties")
    if not isinstance(properties, dict) or REQUEST_HEARTBEAT not in properties:
        return made
    own = cast("Json", properties)
    made["properties"] = {name: one for name, one in own.items() if name != REQUEST_HEARTBEAT}
    required = made.get("required")
    if isinstance(required, list):
        made["required"] = [
            one for one in cast("list[object]", required) if one != REQUEST_HEARTBEAT
        ]
    return made
