"""Which tools and rules an agent gets without asking."""

import pytest

from eunoe.domain.base_tools import (
    base_rules,
    base_tool_names,
    careful_rules,
    rule,
    wants_base_rules,
    with_rules,
)
from eunoe.domain.names import random_name
from eunoe.domain.tools import Tool, ToolType


def _tool(name: str, tool_type: ToolType, *, asks: bool | None = None) -> Tool:
    return Tool(
        id=f"tool-{name}",
        name=name,
        tool_type=tool_type,
        description="",
        parameters={},
        default_requires_approval=asks,
    )


@pytest.mark.rule("api-6.9", "A6")
def test_a_plain_text_agent_gets_no_message_tool() -> None:
    assert base_tool_names("letta_v1_agent") == (
        "conversation_search",
        "memory_replace",
        "memory_insert",
    )
    assert base_tool_names("react_agent") == ()
    assert "core_memory_append" in base_tool_names("memgpt_agent")


@pytest.mark.rule("A4", "FIX-1")
def test_an_agent_with_a_sleeptime_agent_edits_no_memory() -> None:
    searches = ("conversation_search", "archival_memory_search")
    assert base_tool_names("letta_v1_agent", sleeptime=True) == searches
    assert base_tool_names("memgpt_agent", sleeptime=True) == ("send_message", *searches)
    assert base_tool_names("memgpt_v2_agent", sleeptime=True) == ("send_message", *searches)
    for same in ("sleeptime_agent", "voice_convo_agent", "react_agent", "workflow_agent"):
        assert base_tool_names(same, sleeptime=True) == base_tool_names(same)


@pytest.mark.rule("api-6.10", "A6", "A7")
@pytest.mark.parametrize(
    ("asked", "agent_type", "model", "own", "base", "wanted"),
    [
        (True, "letta_v1_agent", "gpt-5", False, True, True),
        (False, "memgpt_agent", "gpt-4.1", False, True, False),
        (None, "letta_v1_agent", "gpt-4.1", False, True, False),
        (None, "letta_v1_agent", "gpt-4.1", True, True, True),
        (None, "letta_v1_agent", "gpt-5", True, True, False),
        (None, "letta_v1_agent", "gpt-5-mini", True, True, True),
        (None, "sleeptime_agent", "gpt-5", False, True, True),
        (None, "memgpt_agent", "claude-4-sonnet", False, True, False),
        (None, "memgpt_agent", "gemini-2.5-pro", False, True, False),
    ],
)
def test_base_rules_come_unless_excluded(
    *, asked: bool | None, agent_type: str, model: str, own: bool, base: bool, wanted: bool
) -> None:
    decided = wants_base_rules(
        asked,
        agent_type=agent_type,  # pyright: ignore[reportArgumentType]  # a table of plain words
        model=model,
        own_rules=own,
        base_tools=base,
    )
    assert decided is wanted


@pytest.mark.rule("api-6.10")
def test_the_last_word_ends_the_turn_and_memory_goes_on() -> None:
    rules = base_rules(
        [
            _tool("send_message", "letta_core"),
            _tool("memory_insert", "letta_memory_core"),
            _tool("mine", "custom"),
        ]
    )
    assert rules == [rule("exit_loop", "send_message"), rule("continue_loop", "memory_insert")]


@pytest.mark.rule("api-6.9")
def test_a_tool_that_asks_for_approval_brings_its_rule() -> None:
    tools = [_tool("read", "custom"), _tool("write", "custom", asks=False)]
    wipe = _tool("wipe", "custom", asks=True)
    assert careful_rules([*tools, wipe]) == [rule("requires_approval", "wipe")]


@pytest.mark.rule("TR1", "api-6.10")
def test_a_rule_that_says_nothing_new_is_not_added() -> None:
    rules = with_rules([rule("exit_loop", "send_message")], [rule("continue_loop", "a")])
    assert rules == (rule("exit_loop", "send_message"), rule("continue_loop", "a"))
    assert with_rules(rules, [rule("continue_loop", "a")]) == rules


@pytest.mark.rule("api-6.5")
def test_a_random_name_is_two_capitalised_words() -> None:
    names = {random_name() for _ in range(200)}
    assert all(name.isalpha() and name[0].isupper() for name in names)
    assert all(sum(letter.isupper() for letter in name) == 2 for name in names)
    assert len(names) > 100
