"""The context window on the wire: its parts, their sizes, and the messages as they are stored."""

from eunoe.domain.drafts import CompactionPatch
from eunoe.domain.messages import Json
from eunoe.domain.overview import Overview, Part
from eunoe.wire.agent_requests import CompactionBody
from eunoe.wire.message_search import stored_form
from eunoe.wire.shape import Shape


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
        "messages": [stored_form(message) for message in one.messages],
    }


def _tokens(part: Part | None) -> int:
    return 0 if part is None else part.tokens


def _text(part: Part | None) -> str | None:
    return None if part is None else part.text
