"""Agent files as servers of the V1 API wrote them, in both forms, with fields that we do not read."""

import copy
from typing import Any, Final

from eunoe.domain.messages import Json

_LLM: Final[Json] = {
    "model": "gpt-4o-mini",
    "display_name": None,
    "model_endpoint_type": "openai",
    "model_endpoint": "https://api.example.org/v1",
    "provider_name": "openai",
    "provider_category": "base",
    "model_wrapper": None,
    "context_window": 64000,
    "put_inner_thoughts_in_kwargs": True,
    "handle": "openai/gpt-4o-mini",
    "temperature": 0.7,
    "max_tokens": 4096,
    "enable_reasoner": False,
    "reasoning_effort": None,
    "max_reasoning_tokens": 0,
    "frequency_penalty": None,
    "compatibility_type": None,
}
_EMBEDDING: Final[Json] = {
    "embedding_endpoint_type": "openai",
    "embedding_endpoint": "https://api.example.org/v1",
    "embedding_model": "text-embedding-3-small",
    "embedding_dim": 1536,
    "embedding_chunk_size": 250,
    "handle": "openai/text-embedding-3-small",
    "batch_size": 16,
    "azure_endpoint": None,
    "azure_version": None,
    "azure_deployment": None,
}
_SOURCE: Final = "def roll_d20() -> str:\n    return '7'\n"
_SCHEMA: Final[Json] = {
    "name": "roll_d20",
    "description": "Roll a die with twenty sides.",
    "type": None,
    "required": [],
    "parameters": {
        "type": "object",
        "properties": {"request_heartbeat": {"type": "boolean"}},
        "required": ["request_heartbeat"],
    },
}


def _packaged(message: str, status: str = "OK") -> str:
    return f'{{"status": "{status}", "message": "{message}", "time": "2024-11-05 03:04:05 PM PST-0800"}}'


def _said(number: int, role: str, content: Any, **fields: Any) -> Json:
    return {
        "role": role,
        "content": content,
        "name": None,
        "model": "gpt-4o-mini",
        "tool_calls": None,
        "tool_call_id": None,
        "tool_returns": [],
        "group_id": None,
        "created_at": f"2024-11-05T23:04:{number:02}.500000+00:00",
        **fields,
    }


def _call(call_id: str, name: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def messages() -> list[Json]:
    """Return a talk: a login, a thought and a greeting, a question, a roll of the die."""
    greeting = '{"inner_thoughts": "Somebody is here.", "message": "Hello."}'
    roll = '{"thinking": "I roll.", "request_heartbeat": true}'
    return [
        _said(0, "system", [{"type": "text", "text": "You roll dice. <memory></memory>"}]),
        _said(1, "assistant", [], tool_calls=[_call("call_a", "send_message", greeting)]),
        _said(2, "tool", [{"type": "text", "text": _packaged("None")}], name="send_message", tool_call_id="call_a"),
        _said(3, "user", '{"type": "user_message", "message": "Roll.", "time": "2024-11-05 03:04:05 PM PST-0800"}'),
        _said(4, "assistant", [{"type": "reasoning", "is_native": True, "reasoning": "A die."}, {"type": "text", "text": "It is time."}], tool_calls=[_call("call_b", "roll_d20", roll)]),
        _said(
            5,
            "tool",
            [{"type": "text", "text": _packaged("7")}],
            name="roll_d20",
            tool_call_id="call_b",
            tool_returns=[{"status": "success", "stdout": ["rolled"], "stderr": None}],
        ),
        _said(6, "user", "Thanks."),
    ]  # fmt: skip


def legacy() -> Json:
    """Return the first form: one agent, as the first servers wrote it."""
    return copy.deepcopy(_legacy())


def graph() -> Json:
    """Return the form of the later servers: an agent and who looks after its memory."""
    return copy.deepcopy(_graph())


def _legacy() -> Json:
    return {
        "agent_type": "memgpt_agent",
        "core_memory": [
            {
                "created_at": "2024-11-05T00:00:00+00:00",
                "updated_at": "2024-11-05T00:00:00+00:00",
                "description": None,
                "is_template": False,
                "label": label,
                "limit": 5,
                "metadata_": {},
                "template_name": None,
                "value": value,
            }
            for label, value in (("human", "Ada plays."), ("persona", "I roll dice."))
        ],
        "created_at": "2024-11-05T00:00:00+00:00",
        "updated_at": "2024-11-05T00:00:00+00:00",
        "description": "A dungeon master.",
        "embedding_config": _EMBEDDING,
        "llm_config": _LLM,
        "message_buffer_autoclear": False,
        "in_context_message_indices": [0, 3, 4, 5, 6],
        "messages": [{**one, "updated_at": one["created_at"]} for one in messages()],
        "metadata_": {"table": 4},
        "multi_agent_group": None,
        "name": "Dungeon Master (v2)",
        "system": "You roll dice.",
        "tags": [{"tag": "game"}],
        "tool_exec_environment_variables": [
            {
                "created_at": "2024-11-05T00:00:00+00:00",
                "description": None,
                "key": "DICE_KEY",
                "updated_at": "2024-11-05T00:00:00+00:00",
                "value": "",
            }
        ],
        "tool_rules": [
            {"tool_name": "send_message", "type": "exit_loop"},
            {"tool_name": "roll_d20", "type": "InitToolRule"},
            {
                "tool_name": "roll_d20",
                "type": "constrain_child_tools",
                "children": ["send_message"],
            },
        ],
        "tools": [
            {
                "args_json_schema": None,
                "created_at": "2024-11-05T00:00:00+00:00",
                "description": one["description"],
                "json_schema": one,
                "name": one["name"],
                "return_char_limit": 6000,
                "source_code": source,
                "source_type": "python",
                "tags": [],
                "tool_type": kind,
                "updated_at": "2024-11-05T00:00:00+00:00",
                "metadata_": {},
            }
            for one, kind, source in (
                (_SCHEMA, "custom", _SOURCE),
                (_SCHEMA | {"name": "send_message"}, "letta_core", None),
                (_SCHEMA | {"name": "core_memory_dream"}, "letta_memory_core", None),
            )
        ],
        "version": "0.7.1",
        "moon_phase": "full",
    }


def _graph() -> Json:
    talk = [
        {"type": "message", "id": f"message-{at}", "otid": None, "sender_id": None, "batch_item_id": None, "agent_id": "agent-0", **one}
        for at, one in enumerate(messages())
    ]  # fmt: skip
    talk.append(
        {
            **_said(7, "approval", []),
            "id": "message-7",
            "agent_id": "agent-0",
            "tool_calls": [_call("call_c", "roll_d20", "{}")],
        }
    )
    talk.append(
        {
            **_said(8, "approval", []),
            "id": "message-8",
            "agent_id": "agent-0",
            "approve": False,
            "approval_request_id": "message-7",
            "denial_reason": "Not now.",
            "approvals": [
                {
                    "type": "approval",
                    "tool_call_id": "call_c",
                    "approve": False,
                    "reason": "Not now.",
                }
            ],
        }
    )
    return {
        "agents": [
            _agent("agent-0", "Master", blocks=["block-0", "block-1"], messages=talk, group_ids=["group-0"]),
            _agent(
                "agent-1",
                "Master-sleeptime",
                agent_type="sleeptime_agent",
                blocks=["block-0", "block-1", "block-2"],
                messages=[],
            ),
        ],
        "groups": [
            {
                "id": "group-0",
                "agent_ids": ["agent-1"],
                "description": "",
                "manager_config": {
                    "manager_type": "sleeptime",
                    "manager_agent_id": "agent-0",
                    "sleeptime_agent_frequency": 3,
                },
                "project_id": None,
                "shared_block_ids": [],
                "hidden": None,
            }
        ],
        "blocks": [
            _block(0, "human", "Ada"),
            _block(1, "persona", "I roll dice."),
            _block(2, "memory_persona", "I tidy up."),
        ],
        "files": [{"id": "file-0", "source_id": "source-0", "file_name": "rules.txt", "content": "1d20"}],
        "sources": [{"id": "source-0", "name": "rules"}],
        "tools": [
            {
                "id": "tool-0",
                "tool_type": "custom",
                "name": "roll_d20",
                "description": "Roll a die with twenty sides.",
                "source_type": "python",
                "source_code": _SOURCE,
                "json_schema": _SCHEMA,
                "tags": ["dice"],
                "return_char_limit": 6000,
                "pip_requirements": [{"name": "dice", "version": "4.0.0"}],
                "metadata_": {"x": 1},
            },
            {"id": "tool-1", "tool_type": "letta_core", "name": "send_message"},
            {"id": "tool-2", "tool_type": "external_composio", "name": "calendar"},
        ],
        "mcp_servers": [],
        "metadata": {"revision_id": "a1b2c3"},
        "created_at": "2025-09-01T00:00:00+00:00",
    }  # fmt: skip


def _agent(
    agent_id: str, name: str, *, blocks: list[str], messages: list[Json], **fields: Any
) -> Json:
    return {
        "id": agent_id,
        "name": name,
        "agent_type": "memgpt_v2_agent",
        "memory_blocks": [],
        "tools": [],
        "tool_ids": ["tool-0", "tool-1", "tool-2"],
        "source_ids": ["source-0"],
        "block_ids": blocks,
        "tool_rules": [{"tool_name": "send_message", "type": "exit_loop", "prompt_template": None}],
        "tags": ["game"],
        "system": "You roll dice.",
        "initial_message_sequence": None,
        "include_base_tools": False,
        "include_multi_agent_tools": False,
        "include_base_tool_rules": False,
        "include_default_source": False,
        "description": None,
        "metadata": None,
        "llm_config": _LLM,
        "embedding_config": _EMBEDDING,
        "model": None,
        "embedding": None,
        "tool_exec_environment_variables": {"DICE_KEY": ""},
        "secrets": {"DICE_KEY": ""},
        "identity_ids": None,
        "message_buffer_autoclear": False,
        "enable_sleeptime": False,
        "timezone": "America/Los_Angeles",
        "max_files_open": 5,
        "in_context_message_ids": [one["id"] for one in messages],
        "messages": messages,
        "files_agents": [],
        "group_ids": [],
        **fields,
    }


def _block(number: int, label: str, value: str) -> Json:
    return {"id": f"block-{number}", "label": label, "value": value, "limit": 20000, "metadata": {}}
