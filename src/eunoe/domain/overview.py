"""What fills a window: each part of a request as text and in tokens (6.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from eunoe.domain.agents import Agent
from eunoe.domain.blocks import Block
from eunoe.domain.compaction import is_summary
from eunoe.domain.directories import directories_section
from eunoe.domain.files import Directory
from eunoe.domain.messages import Message, text_of
from eunoe.domain.prompt import (
    CORE_MEMORY,
    PromptFacts,
    memory_section,
    metadata_section,
    system_text,
)
from eunoe.domain.rule_texts import rules_section
from eunoe.domain.tools import ToolSchema
from eunoe.domain.window import cleaned, definition, estimate_tokens, thinks, tool_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a request and about how many tokens it takes."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The parts of the next request; their tokens add up to `tokens` (C4).

    `messages` is the window as it is stored, the system message first, `message_tokens`
    what its messages but that one and the summary take. `archived` counts passages,
    `stored` all messages of the agent. An absent part is null.
    """

    window_tokens: int
    tokens: int
    messages: tuple[Message, ...]
    message_tokens: int
    archived: int
    stored: int
    system: Part
    core_memory: Part
    metadata: Part
    summary: Part | None
    tool_rules: Part | None
    directories: Part | None
    functions: tuple[dict[str, object], ...]
    function_tokens: int


def overview(
    agent: Agent,
    blocks: Sequence[Block],
    facts: PromptFacts,
    *,
    window: Sequence[Message],
    tools: Sequence[ToolSchema],
    stored: int,
    directories: Sequence[Directory] = (),
) -> Overview:
    """Return the overview of `window`, whose first message is the system message.

    The prompt is compiled anew, so that changes which wait for the next step count
    (C5); the counter is the one that compaction uses (FIX-44).
    """
    summaries = [message for message in window[1:2] if is_summary(message)]
    rest = window[1 + len(summaries) :]
    whole = estimate_tokens(system=system_text(agent, blocks, facts, directories=directories))
    core = _part(memory_section(agent, blocks))
    rules = _part(rules_section(agent.tool_rules))
    metadata = _part(metadata_section(agent, facts))
    listed = _part(directories_section(agent, directories))
    base = agent.system.replace(CORE_MEMORY, "").strip("\n")
    rest_tokens = sum(part.tokens for part in (core, rules, listed, metadata))
    left = max(whole - rest_tokens, 0)
    summary_tokens, message_tokens = _sent(agent, summaries), _sent(agent, rest)
    function_tokens = tool_tokens(tools)
    system = Part(text=base, tokens=left)
    return Overview(
        window_tokens=agent.model.context_window,
        tokens=system.tokens + rest_tokens + summary_tokens + message_tokens + function_tokens,
        messages=tuple(window),
        message_tokens=message_tokens,
        archived=facts.archived,
        stored=stored,
        system=system,
        core_memory=core,
        metadata=metadata,
        summary=Part(text=text_of(summaries[0]), tokens=summary_tokens) if summaries else None,
        tool_rules=rules if rules.text else None,
        directories=listed if listed.text else None,
        functions=tuple(definition(tool) for tool in tools),
        function_tokens=function_tokens,
    )


def _part(text: str) -> Part:
    return Part(text=text, tokens=estimate_tokens(system=text))


def _sent(agent: Agent, messages: Sequence[Message]) -> int:
    clean = cleaned(
        messages, context_window=agent.model.context_window, keep_reasoning=thinks(agent.model)
    )
    return estimate_tokens(messages=clean)
