"""The system message: a stable part, which providers cache, and a volatile line or two behind it.

The stored message is kept byte for byte while its stable part is what the agent
would get now, so that the clock and the counters never cost a cache hit (L22, L24).
Whatever changes the stable part, an edit by a tool, by the API or an update of the
agent, shows at the next step without anybody having marked it (FIX-4b, FIX-5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.directories import directories_section
from eunoe.domain.edit_text import LINE_NUMBER_WARNING, numbered
from eunoe.domain.files import Directory
from eunoe.domain.rule_texts import rules_section
from eunoe.domain.times import stamp
from eunoe.domain.wellformed import one_line, well_formed

CORE_MEMORY: Final = "{CORE_MEMORY}"
_WITHOUT_MEMORY: Final = frozenset({"react_agent", "workflow_agent"})
_NUMBERED: Final = frozenset({"sleeptime_agent", "memgpt_v2_agent", "letta_v1_agent"})
_SEPARATOR: Final = "\n\n<memory_metadata>\n"
_INTRODUCTION: Final = (
    "These blocks are your core memory: what you know at every moment, without looking it up."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFacts:
    """What changes by itself, and so stands last in the prompt.

    `recalled` counts the stored messages that are not in the window, `archived`
    the passages in the agent's archive.
    """

    conversation_id: str | None
    recompiled_at: datetime
    recalled: int
    archived: int
    archive_tags: tuple[str, ...] = ()


def system_text(
    agent: Agent,
    blocks: Sequence[Block],
    facts: PromptFacts,
    *,
    directories: Sequence[Directory] = (),
) -> str:
    """Return the whole system message: the stable text, a blank line, the metadata (L18)."""
    stable = stable_text(agent, blocks, directories)
    return f"{stable}\n\n{metadata_section(agent, facts)}"


def stable_text(
    agent: Agent, blocks: Sequence[Block], directories: Sequence[Directory] = ()
) -> str:
    """Return the system message but for its metadata: the same input gives the same bytes.

    Memory, tool rules and directories stand where the prompt says `{CORE_MEMORY}`,
    everywhere it does, else after a blank line (A15); other braces are left alone.
    """
    sections = (
        memory_section(agent, blocks),
        rules_section(agent.tool_rules),
        directories_section(agent, directories),
    )
    core = "\n\n".join(section for section in sections if section)
    if CORE_MEMORY in agent.system:
        return well_formed(agent.system.replace(CORE_MEMORY, core))
    return well_formed(f"{agent.system}\n\n{core}" if core else agent.system)


def is_current(stored: str, *, stable: str) -> bool:
    """Whether the stored system message has `stable` for its stable part: THE rebuild rule.

    The last separator ends the stable part, since metadata never holds one; a
    block that contains the text of a separator therefore cannot mislead this.
    """
    return stored.rfind(_SEPARATOR) == len(stable) and stored.startswith(stable)


def memory_section(agent: Agent, blocks: Sequence[Block]) -> str:
    """Return the `<memory_blocks>` section, empty without blocks or by agent type (L13, L14)."""
    if not blocks or agent.agent_type in _WITHOUT_MEMORY:
        return ""
    with_numbers = agent.model.provider_type == "anthropic" and agent.agent_type in _NUMBERED
    entries = "\n\n".join(_block(block, with_numbers=with_numbers) for block in blocks)
    return f"<memory_blocks>\n{_INTRODUCTION}\n\n{entries}\n</memory_blocks>"


def metadata_section(agent: Agent, facts: PromptFacts) -> str:
    """Return the `<memory_metadata>` section: ids, the clock and the counters (L18, FIX-4)."""
    compiled = stamp(facts.recompiled_at, timezone=agent.timezone)
    rows = [
        f"- AGENT_ID: {one_line(agent.id)}",
        f"- CONVERSATION_ID: {one_line(facts.conversation_id or 'default')}",
        f"- The system prompt was last recompiled at: {compiled}",
        f"- {facts.recalled} earlier messages are in recall memory; tools can search them.",
    ]
    if facts.archived > 0:
        rows.append(f"- {facts.archived} memories are in archival memory; tools can search them.")
    if facts.archive_tags:
        tags = ", ".join(one_line(tag) for tag in facts.archive_tags)
        rows.append(f"- Available archival memory tags: {tags}")
    return "\n".join(["<memory_metadata>", *rows, "</memory_metadata>"])


def _block(block: Block, *, with_numbers: bool) -> str:
    metadata = [
        *(["- read_only=true"] if block.read_only else []),
        f"- chars_current={len(block.value)}",
        f"- chars_limit={block.limit}",
    ]
    return "\n".join(
        [
            f"<{block.label}>",
            "<description>",
            block.description or "",
            "</description>",
            "<metadata>",
            *metadata,
            "</metadata>",
            *(["<warning>", LINE_NUMBER_WARNING, "</warning>"] if with_numbers else []),
            "<value>",
            *_value(block.value, with_numbers=with_numbers),
            "</value>",
            f"</{block.label}>",
        ]
    )


def _value(value: str, *, with_numbers: bool) -> list[str]:
    if not with_numbers:
        return [value]
    return [numbered(value)] if value else []
