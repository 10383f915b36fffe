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
    return {
        "context_window_size_max": one.window_tokens,
        "context_window_size_current": one.tokens,
        "num_messages": len(one.messages),
        "num_archival_memory": one.archived,
        "num_recall_memory": one.stored,
        **_part("external_memory_summary", one.metadata),
        "num_tokens_system": one.system.tokens,
        "system_prompt": one.system.text,
        **_part("core_memory", one.core_memory),
        **_part("memory_filesystem", None),
        **_part("tool_usage_rules", one.tool_rules),
        **_part("directories", one.directories),
        **_part("summary_memory", one.summary),
        "num_tokens_functions_definitions": one.function_tokens,
        "functions_definitions": one.functions,
        "num_tokens_messages": one.message_tokens,
        "messages": [stored_form(message) for message in one.messages],
    }


def _part(name: str, part: Part | None) -> Json:
    tokens, text = (0, None) if part is None else (part.tokens, part.text)
    return {f"num_tokens_{name}": tokens, name: text}
