"""What a caller asks for, before it is there: drafts make a thing, patches change one.

In a patch a null field says nothing (api 6.40), so that a missing field and an
explicit null are the same; what can be cleared has a flag of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from eunoe.domain.agents import AgentTraits, AgentType
from eunoe.domain.blocks import BlockDraft
from eunoe.domain.messages import Json, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWish:
    """How a caller wants a model asked; a null field says nothing.

    `context_window` and the `max_…` are in tokens; `settings` holds only the fields that
    were sent (R9).
    """

    handle: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    max_reasoning_tokens: int | None = None
    clear_max_output: bool = False
    enable_reasoner: bool | None = None
    reasoning: bool | None = None
    inner_thoughts: bool | None = None
    reasoning_effort: str | None = None
    temperature: float | None = None
    parallel_tool_calls: bool | None = None
    strict: bool | None = None
    response_format: Json | None = None
    settings: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningMessage:
    """One entry of `initial_message_sequence`."""

    role: Literal["user", "system", "assistant"]
    content: tuple[Part, ...]
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionPatch:
    """Only what was sent changes; `changes` holds it by field name (api 6.20)."""

    changes: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDraft(AgentTraits):
    """`tools` are names, `tool_ids` and `block_ids` ids of what exists already."""

    agent_type: AgentType = "letta_v1_agent"
    name: str | None = None
    system: str | None = None
    model: ModelWish = field(default_factory=ModelWish)
    embedding: str | None = None
    embedding_chunk_size: int | None = None
    compaction: CompactionPatch | None = None
    memory_blocks: tuple[BlockDraft, ...] = ()
    block_ids: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    tool_ids: tuple[str, ...] = ()
    folder_ids: tuple[str, ...] = ()
    tool_rules: tuple[Json, ...] | None = None
    include_base_tools: bool = True
    include_multi_agent_tools: bool = False
    include_base_tool_rules: bool | None = None
    opening: tuple[OpeningMessage, ...] | None = None
    timezone: str | None = None
    identity_ids: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPatch:
    """`values` are the plain fields that were sent, by their name in `Agent`."""

    values: Json = field(default_factory=dict[str, Any])
    model: ModelWish | None = None
    embedding: str | None = None
    compaction: CompactionPatch | None = None
    block_ids: tuple[str, ...] | None = None
    tool_ids: tuple[str, ...] | None = None
    folder_ids: tuple[str, ...] | None = None
    message_ids: tuple[str, ...] | None = None
    identity_ids: tuple[str, ...] | None = None
    secrets: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageDraft:
    text: str
    tags: tuple[str, ...] = ()
    metadata: Json = field(default_factory=dict[str, Any])
    created_at: datetime | None = None
