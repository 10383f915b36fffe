"""What fills the window, part by part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.messages import Message
from eunoe.domain.overview import Overview, overview
from eunoe.domain.prompt import PromptFacts, system_text
from eunoe.domain.summaries import envelope
from eunoe.domain.tools import ToolSchema
from eunoe.domain.window import cleaned, estimate_tokens
from tests.domain.conversations import AT, TIME, agent, block, histories, message

FACTS = PromptFacts(conversation_id=None, recompiled_at=AT, recalled=7, archived=4)
BLOCKS = [block("human", "Ada likes tea")]
TOOLS = [ToolSchema(name="search", description="Finds.", parameters={"type": "object"})]
RULES = ({"type": "exit_loop", "tool_name": "send_message"},)
STORED = message("0", "system", "an older compilation")


def seen(*messages: str, system: str = "You are helpful.") -> Overview:
    said = [message(str(n), "user", text) for n, text in enumerate(messages, start=1)]
    asked = agent(system=system, tool_rules=RULES)
    return overview(asked, BLOCKS, FACTS, window=[STORED, *said], tools=TOOLS, stored=12)


@pytest.mark.rule("C4", "C5")
def test_the_parts() -> None:
    view = seen("hello", "there")
    assert view.system.text == "You are helpful."
    assert "Ada likes tea" in view.core_memory.text
    assert view.metadata.text.startswith("<memory_metadata>")
    assert view.tool_rules is not None
    assert "send_message" in view.tool_rules.text
    assert view.functions[0]["function"] == {
        "name": "search",
        "description": "Finds.",
        "parameters": {"type": "object"},
    }
    assert (view.window_tokens, view.archived, view.stored) == (30_000, 4, 12)
    assert [each.id for each in view.messages] == ["message-0", "message-1", "message-2"]
    assert view.summary is None


@pytest.mark.rule("FIX-45")
@pytest.mark.parametrize("role", ["summary", "user"])
def test_a_summary_is_a_part_of_its_own(role: str) -> None:
    text = envelope("tea was had", hidden=2, time=TIME, stats=None)
    said = [STORED, message("1", "summary" if role == "summary" else "user", text)]
    view = overview(agent(), BLOCKS, FACTS, window=said, tools=[], stored=2)
    assert view.summary is not None
    assert view.summary.text == text
    assert view.summary.tokens > 0
    assert view.message_tokens == estimate_tokens()


@given(histories(), st.text(max_size=40) | st.just("a {CORE_MEMORY} b"), st.booleans())
@pytest.mark.rule("FIX-44", "C4")
def test_the_parts_add_up_to_what_the_trigger_counts(
    history: list[Message], system: str, ruled: bool
) -> None:
    asked = agent(system=system, tool_rules=RULES if ruled else ())
    view = overview(asked, BLOCKS, FACTS, window=[STORED, *history], tools=TOOLS, stored=0)
    parts = [view.system, view.core_memory, view.metadata, view.summary, view.tool_rules]
    counted = sum(part.tokens for part in parts if part is not None)
    assert view.tokens == counted + view.message_tokens + view.function_tokens
    compiled = system_text(asked, BLOCKS, FACTS)
    sent = cleaned(history, context_window=30_000)
    whole = estimate_tokens(system=compiled, messages=sent, tools=TOOLS)
    # The summary and the rest are rounded up apart.
    assert whole <= view.tokens <= whole + 3
