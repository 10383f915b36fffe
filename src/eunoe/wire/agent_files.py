"""Agent files as they are written: the graph of the V1 API, and what it has no words for (7.1)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from eunoe.domain.agent_files import AgentFile, AgentRecord
from eunoe.domain.agents import Agent
from eunoe.domain.groups import Group
from eunoe.domain.messages import Json
from eunoe.domain.models import ModelConfig
from eunoe.wire import agent_file_holdings as holdings
from eunoe.wire import blocks, groups, tools
from eunoe.wire.agent_file_extras import extras
from eunoe.wire.agent_file_messages import message_entry
from eunoe.wire.agents import compaction_settings
from eunoe.wire.call_policies import shown
from eunoe.wire.model_settings import model_settings
from eunoe.wire.models import embedding_config, llm_config
from eunoe.wire.shape import Shape
from eunoe.wire.times import entity_time

REVISION: Final = "1"
"""The revision of the written form; it changes with what a file holds, not with the server."""
EXTENSION: Final = "eunoe"
_GROUP_FIELDS: Final = {
    "round_robin": ("max_turns",),
    "supervisor": ("manager_agent_id",),
    "dynamic": ("manager_agent_id", "termination_token", "max_turns"),
    "sleeptime": ("manager_agent_id", "sleeptime_agent_frequency"),
    "voice_sleeptime": (
        "manager_agent_id",
        "max_message_buffer_length",
        "min_message_buffer_length",
    ),
    "swarm": (),
}


_UNSAID: Final = (
    "initial_message_sequence", "model", "embedding", "context_window_limit",
    "embedding_chunk_size", "max_tokens", "max_reasoning_tokens", "enable_reasoner", "reasoning",
    "from_template", "project", "memory_variables", "project_id", "template_id",
    "base_template_id", "identity_ids", "parallel_tool_calls",
)  # fmt: skip
"""What is asked of a new agent, and is decided where it is one already."""


class Skill(Shape):
    """A skill that travels with the file: its own files, or where it comes from."""

    name: str = Field(min_length=1)
    files: dict[str, str] | None = None
    source_url: str | None = None

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if not self.source_url and "SKILL.md" not in (self.files or {}):
            raise ValueError("a skill has its SKILL.md among its files, or a source_url")
        return self


class ExportBody(Shape):
    """`everything` is this server's own: it adds the key `eunoe` to the file."""

    skills: list[Skill] = Field(default_factory=list[Skill])
    conversation_id: str | None = None
    scrub_messages: bool = False
    everything: bool = False


class Imported(TypedDict):
    """What an import made; `warnings` are this server's own."""

    agent_ids: list[str]
    warnings: list[str]


def written(file: AgentFile, *, at: datetime) -> Json:
    """Return the file as JSON; its ids are those of the file, `agent-0` and so on (7.1.3)."""
    said = {message.id: message for message in file.messages}
    made: Json = {
        "agents": [_agent(file, record, said) for record in file.agents],
        "groups": [_group(group) for group in file.groups],
        "blocks": [_without(blocks.block(block), _USERS) for block in _shown_blocks(file)],
        "files": [holdings.file(one) for one in file.files],
        "sources": [holdings.source(one) for one in file.folders],
        "tools": [_tool(tools.tool(tool)) for tool in file.tools],
        "mcp_servers": [holdings.server(one) for one in file.servers],
        "skills": list(file.skills),
        "metadata": {"revision_id": REVISION},
        "created_at": entity_time(at),
    }
    if file.whole:
        made[EXTENSION] = extras(file)
    return made


_USERS: Final = ("created_by_id", "last_updated_by_id")


def _shown_blocks(file: AgentFile) -> Iterable[blocks.Block]:
    """Return the blocks of agents and groups; a conversation's own are in the extension."""
    own = {block_id for one in file.conversations for block_id in one.block_ids}
    return (block for block in file.blocks if block.id not in own)


def _agent(file: AgentFile, record: AgentRecord, said: Json) -> Json:
    agent = record.agent
    secrets = {key: "" for key, _ in record.secrets}
    return {
        "name": agent.name,
        "memory_blocks": [],
        "tools": [],
        "tool_ids": list(record.tool_ids),
        "source_ids": list(record.folder_ids),
        "folder_ids": list(record.folder_ids),
        "block_ids": list(record.block_ids),
        "tool_rules": list(agent.tool_rules),
        "tags": sorted(agent.tags),
        "system": agent.system,
        "agent_type": agent.agent_type,
        "include_base_tools": False,
        "include_multi_agent_tools": False,
        "include_base_tool_rules": False,
        "include_default_source": False,
        "description": agent.description,
        "metadata": agent.metadata,
        "llm_config": _model(agent.model),
        "embedding_config": embedding_config(agent.embedding),
        "model_settings": _settings(agent.model),
        "compaction_settings": compaction_settings(agent.compaction),
        "template": False,
        "tool_exec_environment_variables": secrets,
        "secrets": secrets,
        "message_buffer_autoclear": agent.message_buffer_autoclear,
        "enable_sleeptime": False,
        **dict.fromkeys(_UNSAID),
        **_settled(agent),
        **_policies(agent),
        "id": agent.id,
        "in_context_message_ids": list(record.window),
        "messages": [message_entry(said[message_id]) for message_id in record.window],
        "files_agents": holdings.held(record),
        "group_ids": [one.id for one in file.groups if one.manager_agent_id == agent.id],
    }


def _policies(agent: Agent) -> Json:
    """Return the policies of calls, an addition; whom a webhook tells is not for a file to say."""
    policies = shown(agent.call_policies)["policies"]
    return {"call_policies": policies} if policies else {}


def _settled(agent: Agent) -> Json:
    return {
        "response_format": agent.response_format,
        "timezone": agent.timezone,
        "max_files_open": agent.max_files_open,
        "per_file_view_window_char_limit": agent.per_file_view_window_char_limit,
        "hidden": agent.hidden,
    }


def _model(config: ModelConfig) -> Json:
    """Return the configuration; a temperature that nobody set is left to the reader's default."""
    shown: Json = dict(llm_config(config))
    if config.temperature is None:
        del shown["temperature"]
    return shown


def _settings(config: ModelConfig) -> Json | None:
    """Return what was asked of the model beyond its configuration, null where nothing was."""
    if not config.settings:
        return None
    sent = config.settings | {"provider_type": model_settings(config)["provider_type"]}
    return dict(sorted(sent.items()))


def _group(group: Group) -> Json:
    shown = groups.group(group)
    config: Json = {name: shown[name] for name in _GROUP_FIELDS[group.manager_type]}
    return {
        "agent_ids": list(group.agent_ids),
        "description": group.description,
        "manager_config": {"manager_type": group.manager_type, **config},
        "project_id": None,
        "shared_block_ids": list(group.shared_block_ids),
        "hidden": group.hidden,
        "id": group.id,
    }


def _tool(shown: tools.Tool) -> Json:
    return {**shown, "created_by_id": None, "last_updated_by_id": None, "project_id": None}


def _without(shown: blocks.BlockResponse, names: Iterable[str]) -> Json:
    return {name: value for name, value in shown.items() if name not in set(names)}
