"""The first form of agent files: one agent, its parts inside it, and indices for ids."""

from collections.abc import Mapping
from typing import Final, cast

from eunoe.domain.messages import Json
from eunoe.domain.wellformed import list_of

_ENTRY: Final = (
    "agent_type", "compaction_settings", "description", "embedding_config", "llm_config",
    "message_buffer_autoclear", "name", "response_format", "system", "timezone", "tool_rules",
)  # fmt: skip
_READ: Final = frozenset(
    {
        *_ENTRY, "core_memory", "created_at", "in_context_message_indices", "messages",
        "metadata_", "multi_agent_group", "tags", "tool_exec_environment_variables", "tools",
        "updated_at", "version",
    }
)  # fmt: skip
_BLOCK_NOISE: Final = frozenset({"created_at", "updated_at", "metadata_"})
_TOOL_NOISE: Final = frozenset({"created_at", "updated_at"})
_MESSAGE_NOISE: Final = frozenset({"updated_at"})


def is_legacy(file: Mapping[str, object]) -> bool:
    """Whether a file is of the first form: it is an agent rather than having agents."""
    return "agents" not in file and "core_memory" in file and "messages" in file


def as_graph(file: Json) -> Json:
    """Return the file in the form of today; what is wrong with it shows when that is read."""
    messages = _numbered("message", file.get("messages"), _MESSAGE_NOISE)
    blocks = _numbered("block", file.get("core_memory"), _BLOCK_NOISE, metadata="metadata")
    tools = _numbered("tool", file.get("tools"), _TOOL_NOISE)
    agent: Json = {name: file[name] for name in _ENTRY if name in file}
    agent |= {name: value for name, value in file.items() if name not in _READ}
    agent |= {
        "id": "agent-0",
        "metadata": file.get("metadata_"),
        "tags": [_tag(one) for one in list_of(file.get("tags"))],
        "secrets": _variables(file.get("tool_exec_environment_variables")),
        "block_ids": [_id(one) for one in blocks],
        "tool_ids": [_id(one) for one in tools],
        "messages": messages,
        "in_context_message_ids": [
            _id(messages[at]) if isinstance(at, int) and 0 <= at < len(messages) else str(at)
            for at in list_of(file.get("in_context_message_indices"))
        ],
    }
    return {"agents": [agent], "blocks": blocks, "tools": tools}


def _numbered(
    noun: str, given: object, noise: frozenset[str], *, metadata: str | None = None
) -> list[object]:
    made: list[object] = []
    for at, one in enumerate(list_of(given)):
        if not isinstance(one, dict):
            made.append(one)
            continue
        fields = cast("Json", one)
        entry = {name: value for name, value in fields.items() if name not in noise}
        if metadata is not None:
            entry[metadata] = fields.get("metadata_")
        made.append({**entry, "id": f"{noun}-{at}"})
    return made


def _id(entry: object) -> object:
    return cast("Json", entry).get("id") if isinstance(entry, dict) else entry


def _tag(one: object) -> object:
    return cast("Json", one).get("tag") if isinstance(one, dict) else one


def _variables(given: object) -> Json:
    found = [cast("Json", one) for one in list_of(given) if isinstance(one, dict)]
    return {str(one.get("key")): str(one.get("value") or "") for one in found}
