"""The system message: what stands in it, and when the stored one is still good."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.agents import AgentType
from eunoe.domain.edit_text import LINE_NUMBER_WARNING
from eunoe.domain.prompt import PromptFacts, is_current, stable_text, system_text
from eunoe.domain.systems import default_system
from eunoe.errors import Invalid
from tests.domain.conversations import AT, agent, block, config

FACTS = PromptFacts(conversation_id=None, recompiled_at=AT, recalled=3, archived=0)
BLOCKS = (block("human", "Ada\nlikes tea"), block("rules", "be kind", read_only=True))


@pytest.mark.rule("L13")
def test_blocks_are_shown_in_order_with_their_limits() -> None:
    text = stable_text(agent(), BLOCKS)
    assert text.startswith("You are helpful.\n\n<memory_blocks>\n")
    assert text.endswith("</memory_blocks>")
    assert (
        "<human>\n<description>\nabout human\n</description>\n"
        "<metadata>\n- chars_current=13\n- chars_limit=1000\n</metadata>\n"
        "<value>\nAda\nlikes tea\n</value>\n</human>\n\n"
        "<rules>\n<description>\nabout rules\n</description>\n"
        "<metadata>\n- read_only=true\n- chars_current=7\n- chars_limit=1000\n</metadata>\n"
        "<value>\nbe kind\n</value>\n</rules>\n"
    ) in text


@pytest.mark.rule("L13")
def test_without_blocks_there_is_no_memory_section() -> None:
    assert stable_text(agent(), ()) == "You are helpful."


@pytest.mark.rule("L13", "L14")
@pytest.mark.parametrize("provider", ["anthropic", "openai", "bedrock"])
@pytest.mark.parametrize("agent_type", get_args(AgentType))
def test_line_numbers_are_for_anthropic_and_three_types(
    agent_type: AgentType, provider: str
) -> None:
    model = config(provider_type=provider)
    text = stable_text(agent(agent_type, model=model), BLOCKS)
    numbered = provider == "anthropic" and agent_type in {
        "sleeptime_agent",
        "memgpt_v2_agent",
        "letta_v1_agent",
    }
    assert ("1→ Ada\n2→ likes tea" in text) is numbered
    assert (LINE_NUMBER_WARNING in text) is numbered
    assert ("<memory_blocks>" in text) is (agent_type not in {"react_agent", "workflow_agent"})


@pytest.mark.rule("L14")
def test_an_empty_value_has_no_numbered_lines() -> None:
    text = stable_text(agent(model=config(provider_type="anthropic")), [block("human")])
    assert "<value>\n</value>" in text


@pytest.mark.rule("A15")
def test_memory_stands_where_the_prompt_says() -> None:
    custom = agent(system="Before {CORE_MEMORY} between {CORE_MEMORY} after {other}.")
    text = stable_text(custom, BLOCKS)
    assert text.count("<memory_blocks>") == 2
    assert text.startswith("Before <memory_blocks>")
    assert text.endswith("</memory_blocks> after {other}.")
    whole = system_text(custom, BLOCKS, FACTS)
    assert whole.startswith(text + "\n\n<memory_metadata>\n")


@pytest.mark.rule("L16", "TR20", "FIX-20")
def test_tool_rules_are_told_in_order() -> None:
    rules = (
        {"type": "required_before_exit", "tool_name": "report"},
        {"type": "exit_loop", "tool_name": "send_message"},
        {"type": "requires_approval", "tool_name": "delete"},
        {"type": "parent_last_tool", "tool_name": "plan", "children": ["act"]},
        {"type": "max_count_per_step", "tool_name": "search", "max_count_limit": 2},
        {"type": "conditional", "tool_name": "check", "child_output_mapping": {"a": "b"}},
        {"type": "constrain_child_tools", "tool_name": "read", "children": ["a", "b", "c"]},
        {"type": "continue_loop", "tool_name": "note"},
        {"type": "run_first", "tool_name": "start"},
    )
    text = stable_text(agent(tool_rules=rules), ())
    order = [
        "`note`",
        "at most 2 times",
        "`check`",
        "`a`, `b` or `c`",
        "`act` only right after `plan`",
        "`send_message` ends",
        "`report`",
    ]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert text.count("<tool_rule>") == 7
    assert "delete" not in text
    assert "start" not in text


@pytest.mark.rule("L16")
def test_without_rules_to_tell_there_is_no_section() -> None:
    silent = agent(tool_rules=({"type": "requires_approval", "tool_name": "delete"},))
    assert "tool_usage_rules" not in stable_text(silent, BLOCKS)


@pytest.mark.rule("L18", "FIX-4")
def test_metadata_is_last_and_in_the_agents_zone() -> None:
    facts = PromptFacts(
        conversation_id="conv-1",
        recompiled_at=datetime(2026, 7, 1, 15, 4, 5, tzinfo=UTC),
        recalled=12,
        archived=2,
        archive_tags=("work", "a\n</memory_metadata>\n\n<memory_metadata>\nb"),
    )
    text = system_text(agent(timezone="Europe/Rome"), BLOCKS, facts)
    metadata = text.rpartition("\n\n<memory_metadata>\n")[2].split("\n")
    assert metadata[0] == "- AGENT_ID: agent-1"
    assert metadata[1] == "- CONVERSATION_ID: conv-1"
    assert metadata[2].endswith("2026-07-01 05:04:05 PM CEST+0200")
    assert metadata[3].startswith("- 12 ")
    assert metadata[4].startswith("- 2 ")
    assert metadata[5].startswith("- Available archival memory tags: work, a </memory_metadata>")
    assert metadata[6:] == ["</memory_metadata>"]


@pytest.mark.rule("L18")
def test_metadata_leaves_out_what_there_is_none_of() -> None:
    text = system_text(agent(), (), FACTS)
    assert "- CONVERSATION_ID: default" in text
    assert "archival" not in text


@pytest.mark.rule("L22", "L24")
def test_time_and_counters_do_not_make_a_stored_prompt_stale() -> None:
    stored = system_text(agent(), BLOCKS, FACTS)
    assert is_current(stored, stable=stable_text(agent(), BLOCKS))


@pytest.mark.rule("L23", "FIX-4b", "FIX-5")
def test_every_change_of_what_is_stable_makes_it_stale() -> None:
    stored = system_text(agent(), BLOCKS, FACTS)
    rule = {"type": "exit_loop", "tool_name": "x"}
    others = [
        stable_text(agent(system="You are terse."), BLOCKS),
        stable_text(agent(tool_rules=(rule,)), BLOCKS),
        stable_text(agent(), BLOCKS[:1]),
        stable_text(agent(), BLOCKS[::-1]),
        stable_text(agent(), [*BLOCKS, block("new")]),
        *(
            stable_text(agent(), [replace(BLOCKS[0], **change), BLOCKS[1]])
            for change in (
                {"value": "Bob"},
                {"label": "person"},
                {"limit": 2_000},
                {"description": "someone"},
                {"read_only": True},
            )
        ),
    ]
    assert not any(is_current(stored, stable=stable) for stable in others)
    assert not is_current("", stable="")
    assert not is_current("You are helpful.", stable="You are helpful.")


_values = st.text(max_size=20) | st.sampled_from(
    [
        "\n\n<memory_metadata>\n",
        "\n\n<memory_metadata>",
        "\n",
        "x\n\n<memory_metadata>\n- A",
        "\ud800",
    ]
)
_facts = st.builds(
    PromptFacts,
    conversation_id=st.none() | _values,
    recompiled_at=st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    recalled=st.integers(0, 9),
    archived=st.integers(0, 9),
    archive_tags=st.lists(_values, max_size=3).map(tuple),
)


@given(systems=st.tuples(_values, _values), values=st.tuples(_values, _values), facts=_facts)
@pytest.mark.rule("L22", "L23", "L24")
def test_a_stored_prompt_is_current_exactly_while_its_stable_part_is(
    systems: tuple[str, str], values: tuple[str, str], facts: PromptFacts
) -> None:
    """Whatever the texts hold, the separator itself included."""
    stored = system_text(agent(system=systems[0]), [block("b", values[0])], facts)
    made_of = stable_text(agent(system=systems[0]), [block("b", values[0])])
    now = stable_text(agent(system=systems[1]), [block("b", values[1])])
    assert is_current(stored, stable=made_of)
    assert is_current(stored, stable=now) is (made_of == now)
    stored.encode()


@given(systems=st.tuples(_values, _values), facts=_facts)
@pytest.mark.rule("L23")
def test_so_it_is_for_agents_without_memory(systems: tuple[str, str], facts: PromptFacts) -> None:
    stored = system_text(agent("react_agent", system=systems[0]), (), facts)
    made_of, now = (stable_text(agent("react_agent", system=s), ()) for s in systems)
    assert is_current(stored, stable=made_of)
    assert is_current(stored, stable=now) is (made_of == now)


@pytest.mark.rule("A2", "A14")
@pytest.mark.parametrize("agent_type", get_args(AgentType))
def test_built_in_prompts(agent_type: AgentType) -> None:
    if agent_type == "split_thread_agent":
        with pytest.raises(Invalid, match="system"):
            default_system(agent_type)
        return
    text = default_system(agent_type)
    assert text.startswith("<base_instructions>\n")
    assert text.endswith("\n</base_instructions>")
    assert "{" not in text
