"""Agents on the wire: what the server answers (api 6.1); the requests are in `agent_requests`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from typing_extensions import TypedDict

from eunoe.domain import agent_states
from eunoe.domain.agent_states import ATTACHED, Relation
from eunoe.domain.agents import AgentType, CompactionMode, CompactionSettings
from eunoe.domain.files import file_limits
from eunoe.domain.messages import Json
from eunoe.domain.runs import StopReason
from eunoe.errors import Invalid
from eunoe.wire import blocks, files, folders, groups, identities, tools
from eunoe.wire.messages import Lens, shown
from eunoe.wire.model_settings import model_settings
from eunoe.wire.models import EmbeddingConfigResponse, LLMConfig, embedding_config, llm_config
from eunoe.wire.secrets import AgentEnvironmentVariable, secret
from eunoe.wire.shape import shown_as

T = TypeVar("T")
V = TypeVar("V")

Include: TypeAlias = Literal[
    "agent.blocks", "agent.tools", "agent.sources", "agent.tags", "agent.identities",
    "agent.managed_group", "agent.secrets", "agent.pending_approval",
]  # fmt: skip
RELATIONSHIPS: Final[dict[str, Relation]] = {
    "memory": "blocks",
    "tools": "tools",
    "sources": "sources",
    "tags": "tags",
    "identity_ids": "identities",
    "multi_agent_group": "managed_group",
    "tool_exec_environment_variables": "secrets",
    "secrets": "secrets",
}


class Memory(TypedDict):
    agent_type: AgentType
    git_enabled: bool
    blocks: list[blocks.BlockResponse]
    file_blocks: list[Json]
    prompt_template: str


class CompactionSettingsResponse(TypedDict):
    mode: CompactionMode
    model: str | None
    model_settings: Json | None
    prompt: str | None
    prompt_acknowledgement: bool
    clip_chars: int | None
    sliding_window_percentage: float


class AgentState(TypedDict):
    id: str
    name: str
    description: str | None
    metadata: Json | None
    system: str
    agent_type: AgentType
    timezone: str
    hidden: bool | None
    message_ids: Sequence[str]
    llm_config: LLMConfig
    embedding_config: EmbeddingConfigResponse | None
    model: str
    embedding: str | None
    model_settings: Json
    compaction_settings: CompactionSettingsResponse
    response_format: Json | None
    tool_rules: Sequence[Json]
    message_buffer_autoclear: bool
    enable_sleeptime: bool | None
    max_files_open: int
    per_file_view_window_char_limit: int
    project_id: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    entity_id: str | None
    last_run_completion: str | None
    last_run_duration_ms: int | None
    last_stop_reason: StopReason | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: str
    updated_at: str
    memory: Memory
    blocks: list[blocks.BlockResponse]
    tools: list[tools.Tool]
    sources: list[folders.Source]
    tags: Sequence[str]
    identities: list[identities.Identity]
    identity_ids: list[str]
    secrets: list[AgentEnvironmentVariable]
    tool_exec_environment_variables: list[AgentEnvironmentVariable]
    managed_group: groups.Group | None
    multi_agent_group: groups.Group | None
    pending_approval: Json | None


class _Shared(dict[int, Any]):
    """What is shown of values that agents share, as the store reads them: each is made once."""

    def of(self, one: T, shown: Callable[[T], V]) -> V:
        if id(one) not in self:
            self[id(one)] = shown(one)
        return self[id(one)]


def listed(found: Sequence[agent_states.AgentState]) -> list[AgentState]:
    """Return agents, which mostly have the same tools and are configured alike."""
    # A model shows in two forms.
    shared, settings = _Shared(), _Shared()
    return [_state(one, shared, settings) for one in found]


def state(one: agent_states.AgentState) -> AgentState:
    """Return an agent, every field present."""
    return listed([one])[0]


def _state(one: agent_states.AgentState, shared: _Shared, settings: _Shared) -> AgentState:
    agent = one.agent
    bounds = file_limits(agent)
    held = [blocks.block(block) for block in one.blocks]
    variables = [secret(held) for held in one.secrets]
    managed = None if one.managed_group is None else groups.group(one.managed_group)
    return shown_as(
        AgentState,
        agent,
        message_ids=one.message_ids,
        llm_config=shared.of(agent.model, llm_config),
        embedding_config=shared.of(agent.embedding, embedding_config),
        model=agent.model.handle,
        embedding=None if agent.embedding is None else agent.embedding.handle,
        model_settings=settings.of(agent.model, model_settings),
        compaction_settings=shared.of(agent.compaction, compaction_settings),
        max_files_open=bounds.open,
        per_file_view_window_char_limit=bounds.chars,
        memory=memory(one, held),
        blocks=held,
        tools=[shared.of(tool, tools.tool) for tool in one.tools],
        sources=[folders.source(folder) for folder in one.folders],
        tags=one.tags,
        identities=[identities.identity(owner) for owner in one.identities],
        identity_ids=[owner.id for owner in one.identities],
        secrets=variables,
        tool_exec_environment_variables=variables,
        managed_group=managed,
        multi_agent_group=managed,
        pending_approval=None if one.request is None else shown(one.request, Lens())[-1],
    )


def memory(one: agent_states.AgentState, held: list[blocks.BlockResponse] | None = None) -> Memory:
    """Return the deprecated memory object, which clients need even when it is empty (6.1)."""
    return {
        "agent_type": one.agent.agent_type,
        "git_enabled": False,
        "blocks": [blocks.block(block) for block in one.blocks] if held is None else held,
        "file_blocks": [files.file_block(block, agent=one.agent) for block in one.files],
        "prompt_template": "",
    }


def compaction_settings(settings: CompactionSettings) -> CompactionSettingsResponse:
    return shown_as(CompactionSettingsResponse, settings)


def relations(
    include: Iterable[Include], relationships: Iterable[str] | None, *, sdk: bool
) -> frozenset[Relation]:
    """Return what the caller wants loaded (6.3).

    An SDK 1.x caller gets what `include` names, any other caller everything but the
    pending approval; `include_relationships`, if given, decides for both. Raises
    `Invalid` for an unknown relationship.
    """
    wanted: set[Relation] = {cast("Relation", name.removeprefix("agent.")) for name in include}
    if relationships is not None:
        named = list(relationships)
        unknown = sorted(set(named) - RELATIONSHIPS.keys())
        if unknown:
            known = ", ".join(RELATIONSHIPS)
            raise Invalid(f"There is no relationship {', '.join(unknown)}; there are: {known}.")
        wanted.update(RELATIONSHIPS[name] for name in named)
    elif not sdk:
        wanted.update(ATTACHED)
    return frozenset(wanted)
