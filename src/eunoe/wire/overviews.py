"""The context window on the wire: its parts, their sizes, and the messages as they are stored."""

from eunoe.domain.drafts import CompactionPatch
from eunoe.domain.heartbeats import kept_arguments
from eunoe.domain.messages import Json, Message, ToolReturn
from eunoe.domain.overview import Overview, Part
from eunoe.wire.agent_requests import CompactionBody
from eunoe.wire.approvals import stored_answers
from eunoe.wire.content import part_bodies
from eunoe.wire.shape import Shape
from eunoe.wire.times import entity_time


class CompactBody(Shape):
    """The body of a summarise request, which may be missing altogether (8.12)."""

    compaction_settings: CompactionBody | None = None

    def patch(self) -> CompactionPatch | None:
        return None if self.compaction_settings is None else self.compaction_settings.patch()


class ResetBody(Shape):
    add_default_initial_messages: bool = False


def context_window(one: Overview) -> Json:
    """Return the overview, every field present (agent C4)."""
    core, archive = one.core_memory, one.metadata
    return {
        "context_window_size_max": one.window_tokens,
        "context_window_size_current": one.tokens,
        "num_messages": len(one.messages),
        "num_archival_memory": one.archived,
        "num_recall_memory": one.stored,
        "num_tokens_external_memory_summary": archive.tokens,
        "external_memory_summary": archive.text,
        "num_tokens_system": one.system.tokens,
        "system_prompt": one.system.text,
        "num_tokens_core_memory": core.tokens,
        "core_memory": core.text,
        "num_tokens_memory_filesystem": 0,
        "memory_filesystem": None,
        "num_tokens_tool_usage_rules": _tokens(one.tool_rules),
        "tool_usage_rules": _text(one.tool_rules),
        "num_tokens_directories": _tokens(one.directories),
        "directories": _text(one.directories),
        "num_tokens_summary_memory": _tokens(one.summary),
        "summary_memory": _text(one.summary),
        "num_tokens_functions_definitions": one.function_tokens,
        "functions_definitions": one.functions,
        "num_tokens_messages": one.message_tokens,
        "messages": [stored_message(message) for message in one.messages],
    }


def _tokens(part: Part | None) -> int:
    return 0 if part is None else part.tokens


def _text(part: Part | None) -> str | None:
    return None if part is None else part.text


def stored_message(message: Message) -> Json:
    """Return a message in the stored form, which fans nothing out."""
    return {
        "id": message.id,
        "agent_id": message.agent_id,
        "model": message.model,
        "role": message.role,
        "content": list(part_bodies(message.content)),
        "name": message.name,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": kept_arguments(call)},
            }
            for call in message.calls
        ]
        or None,
        "tool_call_id": message.returns[0].call_id if message.returns else None,
        "tool_returns": [_tool_return(one) for one in message.returns],
        "step_id": message.step_id,
        "run_id": message.run_id,
        "otid": message.otid,
        "group_id": message.group_id,
        "sender_id": message.sender_id,
        "batch_item_id": None,
        "conversation_id": message.conversation_id,
        "is_err": message.is_err,
        **stored_answers(message),
        "created_by_id": None,
        "last_updated_by_id": None,
        "created_at": entity_time(message.created_at),
        "updated_at": None,
    }


def _tool_return(one: ToolReturn) -> Json:
    return {
        "tool_call_id": one.call_id,
        "status": "success" if one.ok else "error",
        "stdout": list(one.stdout),
        "stderr": list(one.stderr),
        "func_response": one.output if isinstance(one.output, str) else str(one.output),
    }
