"""An agent: an identity, a prompt, a model, and what is attached to it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from eunoe.domain.call_policies import CallPolicies
from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.domain.runs import StopReason

AgentType: TypeAlias = Literal[
    "letta_v1_agent",
    "memgpt_agent",
    "memgpt_v2_agent",
    "react_agent",
    "workflow_agent",
    "split_thread_agent",
    "sleeptime_agent",
    "voice_convo_agent",
    "voice_sleeptime_agent",
]
PLAIN_TEXT: Final[frozenset[AgentType]] = frozenset({"letta_v1_agent", "sleeptime_agent"})
"""The types whose text is their answer; all others act and speak through tools alone (A1)."""
KEEPERS: Final[frozenset[AgentType]] = frozenset({"sleeptime_agent", "voice_sleeptime_agent"})
"""The types that look after the memory of others."""

CompactionMode: TypeAlias = Literal[
    "all", "sliding_window", "self_compact_all", "self_compact_sliding_window"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionSettings:
    """How the window is made smaller. `sliding_window_percentage` is the share evicted first."""

    mode: CompactionMode = "sliding_window"
    model: str | None = None
    model_settings: Json | None = None
    prompt: str | None = None
    prompt_acknowledgement: bool = False
    clip_chars: int | None = 50_000
    sliding_window_percentage: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTraits:
    """What an agent may have, and need not; the same when it is asked for as when it is there."""

    description: str | None = None
    metadata: Json | None = None
    tags: tuple[str, ...] = ()
    message_buffer_autoclear: bool = False
    enable_sleeptime: bool | None = None
    response_format: Json | None = None
    hidden: bool | None = None
    max_files_open: int | None = None
    per_file_view_window_char_limit: int | None = None
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    call_policies: CallPolicies | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(AgentTraits):
    """`tool_rules` are the rule objects as the wire has them, validated on the way in."""

    id: str
    name: str
    agent_type: AgentType
    system: str
    model: ModelConfig
    embedding: EmbeddingConfig | None = None
    compaction: CompactionSettings = field(default_factory=CompactionSettings)
    timezone: str = "UTC"
    tool_rules: tuple[Json, ...] = ()
    entity_id: str | None = None
    has_folders: bool = False
    """Whether a folder is attached; only the links to folders change it."""
    last_stop_reason: StopReason | None = None
    last_run_completion: datetime | None = None
    last_run_duration_ms: int | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime
