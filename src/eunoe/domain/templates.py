"""A template: what an agent was like, kept in numbered versions that others are made from."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final

from eunoe.domain.agent_states import AgentState
from eunoe.domain.agents import AgentType, CompactionSettings
from eunoe.domain.alike import alike
from eunoe.domain.blocks import Block, BlockDraft
from eunoe.domain.call_policies import CallPolicies
from eunoe.domain.drafts import AgentDraft, CompactionPatch, ModelWish, OpeningMessage
from eunoe.domain.messages import Json
from eunoe.domain.models import EmbeddingConfig, ModelConfig

_SLOT: Final = re.compile(r"\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}")
LATEST: Final = "latest"
WORKING: Final = frozenset({"current", "dev"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that makes an agent but its name, its history and whom it belongs to."""

    agent_type: AgentType
    system: str
    model: ModelConfig
    embedding: EmbeddingConfig | None
    compaction: CompactionSettings
    blocks: tuple[BlockDraft, ...]
    tools: tuple[str, ...]
    """By name: a tool is shared, and may have become another since."""
    tool_rules: tuple[Json, ...]
    tags: tuple[str, ...]
    description: str | None
    metadata: Json | None
    timezone: str
    message_buffer_autoclear: bool
    enable_sleeptime: bool | None
    response_format: Json | None
    max_files_open: int | None
    per_file_view_window_char_limit: int | None
    project_id: str | None
    call_policies: CallPolicies | None = None


_OF_BLOCK: Final = (
    "label", "value", "limit", "description", "read_only", "approve_writes", "metadata", "tags",
    "hidden", "preserve_on_migration",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`agent_id` is the agent whose state the working version is; null once it has been replaced.

    `current` is the working version as it was replaced; null while it is the agent's.
    """

    id: str
    name: str
    description: str | None = None
    agent_id: str | None
    current: Snapshot | None = None
    latest_version: int = 1
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """A version as it will always be."""

    version: int
    message: str | None
    snapshot: Snapshot
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What is particular to an agent that is made from a template."""

    name: str | None = None
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str]
    opening: tuple[OpeningMessage, ...] | None = None
    identity_ids: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def snapshot_of(state: AgentState) -> Snapshot:
    """Return what an agent is like, its blocks and tools included."""
    return alike(
        Snapshot,
        state.agent,
        blocks=tuple(_block(block) for block in state.blocks),
        tools=tuple(sorted(tool.name for tool in state.tools)),
    )


def _block(block: Block) -> BlockDraft:
    return BlockDraft(**{name: getattr(block, name) for name in _OF_BLOCK})


def draft_of(
    snapshot: Snapshot, instance: Instance, *, template_id: str, deployment_id: str
) -> AgentDraft:
    """Return the agent to make from a version: its own blocks, with their slots filled."""
    origin: dict[str, str] = {
        "template_id": template_id,
        "base_template_id": template_id,
        "deployment_id": deployment_id,
    }
    blocks = tuple(
        replace(block, value=filled(block.value, instance.variables), **origin)
        for block in snapshot.blocks
    )
    draft = alike(
        AgentDraft,
        snapshot,
        model=ModelWish(),
        embedding=None,
        name=instance.name,
        compaction=CompactionPatch(changes=asdict(snapshot.compaction)),
        memory_blocks=blocks,
        tools=snapshot.tools,
        include_base_tools=False,
        include_base_tool_rules=False,
        opening=instance.opening,
        tags=tuple(dict.fromkeys((*snapshot.tags, *instance.tags))),
        identity_ids=instance.identity_ids,
        secrets=instance.secrets,
    )
    return replace(draft, **origin)


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with each slot `{{name}}` that has a value filled, once and from left to right.

    A slot without a value stays, and slots in a value are not filled again.
    """
    return _SLOT.sub(lambda slot: variables.get(slot[1], slot[0]), text)


def named(address: str) -> tuple[str, str]:
    """Return the name and version in `name:version`; without one the latest is meant."""
    name, _, version = address.rpartition("/")[2].partition(":")
    return name, version or LATEST
