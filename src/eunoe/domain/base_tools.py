"""Which tools and rules an agent gets without asking for them (api 6.9, 6.10; agent A3 to A7)."""

from collections.abc import Iterable
from typing import Final

from eunoe.domain.agents import KEEPERS, AgentType
from eunoe.domain.edits import BLOCK_TOOLS
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolType

MULTI_AGENT: Final = (
    "send_message_to_agent_and_wait_for_reply",
    "send_message_to_agents_matching_tags",
    "send_message_to_agent_async",
)
_BY_TYPE: Final[dict[AgentType, tuple[str, ...]]] = {
    "letta_v1_agent": ("conversation_search", "memory_replace", "memory_insert"),
    "memgpt_v2_agent": ("send_message", "conversation_search", "memory_replace", "memory_insert"),
    "sleeptime_agent": ("memory_replace", "memory_insert", "memory_rethink", "memory_finish_edits"),
    "voice_convo_agent": ("send_message", "search_memory"),
    "voice_sleeptime_agent": ("store_memories", "rethink_user_memory", "finish_rethinking_memory"),
    "react_agent": (),
    "workflow_agent": (),
}
_OTHERS: Final = (
    "send_message", "conversation_search", "core_memory_append", "core_memory_replace", "memory",
    "memory_apply_patch",
)  # fmt: skip
_EDITORS: Final[frozenset[AgentType]] = frozenset(
    {"sleeptime_agent", "voice_convo_agent", "voice_sleeptime_agent"}
)
_ENDING: Final = frozenset({"send_message", "send_message_to_agent_async", "memory_finish_edits"})
_BASE_TYPES: Final[frozenset[ToolType]] = frozenset(
    {"letta_core", "letta_memory_core", "letta_multi_agent_core", "letta_sleeptime_core"}
)
_UNRULED_MODELS: Final = ("claude-4-sonnet", "claude-3-5-sonnet", "gpt-5", "gemini-2.5-pro")


def base_tool_names(agent_type: AgentType, *, sleeptime: bool = False) -> tuple[str, ...]:
    """Return the names of the tools that an agent of this type starts with.

    One whose memory another agent looks after edits none, and searches what is kept (FIX-1);
    a type that starts with no tool gets none for it.
    """
    own = _BY_TYPE.get(agent_type, _OTHERS)
    if own and sleeptime and agent_type not in _EDITORS:
        own = (*(name for name in own if name not in BLOCK_TOOLS), "archival_memory_search")
    return own


def wants_base_rules(
    asked: bool | None, *, agent_type: AgentType, model: str, own_rules: bool, base_tools: bool
) -> bool:
    """Whether the base tools bring their rules along; `asked` decides where it is not null."""
    if asked is not None:
        return asked
    if agent_type == "letta_v1_agent" and base_tools and not own_rules:
        return False
    if agent_type in KEEPERS or "mini" in model.replace("gemini", ""):
        return True
    return not any(name in model for name in _UNRULED_MODELS)


def base_rules(tools: Iterable[Tool]) -> list[Json]:
    """Return the rules of the base tools among `tools`: the last word ends, others go on.

    Those of an agent that keeps a voice agent's memory have a fixed order (G24).
    """
    rules: list[Json] = []
    for tool in tools:
        if tool.tool_type == "letta_voice_sleeptime_core":
            rules += _OF_VOICE.get(tool.name, ())
        elif tool.tool_type in _BASE_TYPES:
            ends = tool.name in _ENDING
            rules.append(rule("exit_loop" if ends else "continue_loop", tool.name))
    return rules


def careful_rules(tools: Iterable[Tool]) -> list[Json]:
    """Return the rules of those of `tools` that ask for approval by themselves (api 6.9.5)."""
    return [
        rule("requires_approval", tool.name) for tool in tools if tool.default_requires_approval
    ]


def rule(kind: str, tool_name: str) -> Json:
    """Return a rule without fields of its own, as the wire has it."""
    return {"type": kind, "tool_name": tool_name, "prompt_template": None}


def with_rules(rules: Iterable[Json], added: Iterable[Json]) -> tuple[Json, ...]:
    """Return `rules` with each of `added` that says nothing new left out (TR1)."""
    merged = list(rules)
    said = {(one["type"], one["tool_name"]) for one in merged}
    for one in added:
        key = (one["type"], one["tool_name"])
        if key not in said:
            said.add(key)
            merged.append(one)
    return tuple(merged)


_OF_VOICE: Final[dict[str, tuple[Json, ...]]] = {
    "store_memories": (
        {**rule("run_first", "store_memories"), "args": None},
        {
            **rule("constrain_child_tools", "store_memories"),
            "children": ["rethink_user_memory"],
            "child_arg_nodes": None,
        },
    ),
    "rethink_user_memory": (rule("continue_loop", "rethink_user_memory"),),
    "finish_rethinking_memory": (rule("exit_loop", "finish_rethinking_memory"),),
}
