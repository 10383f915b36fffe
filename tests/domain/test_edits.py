"""The tools that edit one block, and what every edit has in common."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.blocks import Block
from eunoe.domain.edit_text import LINE_NUMBER_WARNING, numbered
from eunoe.domain.edits import BLOCK_TOOLS, BlockEdit, Edited, applied
from eunoe.errors import (
    BlockFull,
    BlockMissing,
    BlockReadOnly,
    Conflict,
    EditAmbiguous,
    EditInvalid,
    EditNotFound,
    Invalid,
    Missing,
)
from tests.domain.conversations import block


def ids() -> Callable[[], str]:
    numbers: Iterator[int] = count(1)
    return lambda: f"block-new-{next(numbers)}"


def edit(tool: str, *blocks: Block, **arguments: object) -> Edited:
    return applied(BlockEdit(tool=tool, arguments=arguments), blocks, new_id=ids())


def value(edited: Edited) -> str:
    """Return the one value that the edit changed."""
    (changed,) = edited.changed
    return changed.value


HUMAN = block("human", "name: Ada\nlikes tea\nlives in Rome")


def test_append_starts_a_new_line() -> None:
    edited = edit("core_memory_append", HUMAN, label="human", content="plays chess")
    assert value(edited) == "name: Ada\nlikes tea\nlives in Rome\nplays chess"
    assert edited.output == value(edited)
    assert value(edit("core_memory_append", block("b"), label="b", content="x")) == "\nx"


@pytest.mark.rule("FIX-28")
def test_core_replace_takes_all_of_them_but_never_nothing() -> None:
    tea = block("b", "tea, tea and more tea")
    edited = edit("core_memory_replace", tea, label="b", old_content="tea", new_content="coffee")
    assert value(edited) == "coffee, coffee and more coffee"
    with pytest.raises(EditInvalid, match="empty"):
        edit("core_memory_replace", tea, label="b", old_content="", new_content="x")
    with pytest.raises(EditNotFound, match="does not contain"):
        edit("core_memory_replace", tea, label="b", old_content="milk", new_content="x")


def test_replace_changes_the_one_occurrence() -> None:
    edited = edit("memory_replace", HUMAN, label="human", old_string="tea", new_string="coffee")
    assert value(edited) == "name: Ada\nlikes coffee\nlives in Rome"


@pytest.mark.rule("FIX-29")
@pytest.mark.parametrize("old", ["tea", "tea\nmilk", "a\n"])
def test_an_ambiguous_replacement_names_the_lines_it_starts_on(old: str) -> None:
    twice = block("b", "tea\nmilk\ntea\nmilk")
    with pytest.raises(EditAmbiguous, match="lines 1, 3") as raised:
        edit("memory_replace", twice, label="b", old_string=old, new_string="X")
    assert raised.value.detail["lines"] == [1, 3]


def test_occurrences_that_overlap_are_ambiguous() -> None:
    with pytest.raises(EditAmbiguous):
        edit("memory_replace", block("b", "aaa"), label="b", old_string="aa", new_string="x")


@pytest.mark.rule("M11")
def test_tabs_become_spaces_in_the_whole_value() -> None:
    tabbed = block("b", "\tone\ntwo\tend")
    edited = edit("memory_replace", tabbed, label="b", old_string="two\tend", new_string="2\t2")
    assert value(edited) == "        one\n2       2"
    assert value(edit("memory_insert", tabbed, label="b", new_string="x")).endswith("end\nx")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (0, "NEW\none\ntwo"),
        (1, "one\nNEW\ntwo"),
        (2, "one\ntwo\nNEW"),
        (-1, "one\ntwo\nNEW"),
        pytest.param("1", "one\nNEW\ntwo", id="as text"),
        (1.0, "one\nNEW\ntwo"),
        (None, "one\ntwo\nNEW"),
    ],
)
def test_insert_counts_lines(line: object, expected: str) -> None:
    two = block("b", "one\ntwo")
    arguments = {"label": "b", "new_string": "NEW", "insert_line": line}
    assert value(edit("memory_insert", two, **arguments)) == expected


def test_insert_into_an_empty_block_adds_no_blank_line() -> None:
    assert value(edit("memory_insert", block("b"), label="b", new_string="x")) == "x"


@pytest.mark.parametrize("line", [3, -2, "two", True, 1.5, [1]])
def test_insert_refuses_other_lines(line: object) -> None:
    with pytest.raises(EditInvalid):
        edit("memory_insert", block("b", "1\n2"), label="b", new_string="x", insert_line=line)


def test_insert_says_which_lines_there_are() -> None:
    with pytest.raises(EditInvalid, match="0 to 2"):
        edit("memory_insert", block("b", "1\n2"), label="b", new_string="x", insert_line=9)


@pytest.mark.rule("FIX-30")
def test_rethink_replaces_the_whole_value_of_a_block_there_is() -> None:
    assert value(edit("memory_rethink", HUMAN, label="human", new_memory="new")) == "new"
    with pytest.raises(BlockMissing):
        edit("memory_rethink", HUMAN, label="unknown", new_memory="new")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("memory_replace", {"old_string": "1→ name", "new_string": "x"}),
        ("memory_replace", {"old_string": "name", "new_string": "a\n  2→ x"}),
        ("memory_replace", {"old_string": LINE_NUMBER_WARNING, "new_string": "x"}),
        ("memory_insert", {"new_string": "3→x"}),
        ("memory_insert", {"new_string": f"a {LINE_NUMBER_WARNING}"}),
        ("memory_rethink", {"new_memory": "1→ all"}),
        ("memory_rethink", {"new_memory": LINE_NUMBER_WARNING}),
        ("memory_apply_patch", {"patch": "@@\n-1→ name: Ada\n+2→ name: Bob"}),
        ("memory", {"command": "str_replace", "old_string": "1→ n", "new_string": "x"}),
        ("memory", {"command": "insert", "insert_text": "1→ n"}),
    ],
)
def test_display_line_numbers_do_not_get_into_memory(tool: str, arguments: dict[str, str]) -> None:
    """The checks "L#" and "W" of 5.2."""
    with pytest.raises(EditInvalid, match="line"):
        edit(tool, HUMAN, **arguments, label="human", path="human")


def test_finishing_edits_changes_nothing() -> None:
    assert edit("memory_finish_edits", HUMAN) == Edited(output="None")


@pytest.mark.rule("M10")
def test_a_missing_block_is_answered_with_the_labels_there_are() -> None:
    with pytest.raises(BlockMissing, match="`human`, `persona`"):
        edit("core_memory_append", HUMAN, block("persona"), label="pets", content="a cat")


@pytest.mark.rule("M4", "FIX-26")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("core_memory_append", {"content": "x"}),
        ("core_memory_replace", {"old_content": "a", "new_content": "b"}),
        ("memory_replace", {"old_string": "a", "new_string": "b"}),
        ("memory_insert", {"new_string": "b"}),
        ("memory_rethink", {"new_memory": "b"}),
        ("memory_apply_patch", {"patch": "@@\n-a\n+b"}),
        ("memory_apply_patch", {"patch": "*** Delete Block: rules"}),
        ("memory_apply_patch", {"patch": "*** Update Block: rules\n*** Move to: other"}),
        ("memory_apply_patch", {"patch": "*** Update Block: rules\n-a\n+b"}),
        ("memory", {"command": "str_replace", "old_string": "a", "new_string": "b"}),
        ("memory", {"command": "insert", "insert_text": "b"}),
        ("memory", {"command": "delete"}),
        ("memory", {"command": "rename", "description": "x"}),
        ("memory", {"command": "rename", "old_path": "rules", "new_path": "other"}),
    ],
)
def test_no_tool_touches_a_read_only_block(tool: str, arguments: dict[str, str]) -> None:
    rules = block("rules", "a", read_only=True)
    with pytest.raises(BlockReadOnly):
        edit(tool, rules, **arguments, label="rules", path="/memories/rules")


@pytest.mark.rule("M3", "FIX-25")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("core_memory_append", {"content": "67890"}),
        ("core_memory_replace", {"old_content": "1", "new_content": "1234567890"}),
        ("memory_replace", {"old_string": "1", "new_string": "1234567890"}),
        ("memory_insert", {"new_string": "67890"}),
        ("memory_rethink", {"new_memory": "12345678901"}),
        ("memory_apply_patch", {"patch": "+67890"}),
        ("memory", {"command": "insert", "insert_text": "67890"}),
    ],
)
def test_the_limit_holds(tool: str, arguments: dict[str, str]) -> None:
    small = block("b", "12345", limit=10)
    with pytest.raises(BlockFull) as raised:
        edit(tool, small, **arguments, label="b", path="b")
    assert raised.value.detail["limit"] == 10
    assert "10" in str(raised.value)


@pytest.mark.rule("M7")
def test_a_block_that_stays_the_same_is_not_in_the_result() -> None:
    edited = edit("memory_rethink", HUMAN, label="human", new_memory=HUMAN.value)
    assert edited == Edited(output=HUMAN.value)


@pytest.mark.rule("M1", "P10")
def test_what_no_database_can_hold_is_left_out() -> None:
    edited = edit("memory_rethink", HUMAN, label="human", new_memory="a\x00b\ud800c")
    assert value(edited) == "abc"


@pytest.mark.rule("M19")
@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("core_memory_append", {"label": "human"}, "content"),
        ("memory_insert", {"new_string": "x"}, "label"),
        ("memory_replace", {"label": "human", "old_string": "a", "new_string": None}, "new_string"),
        ("memory_rethink", {"label": "human", "new_memory": 7}, "new_memory"),
        ("memory_rethink", {"label": ["human"], "new_memory": "x"}, "label"),
        ("memory_apply_patch", {"label": "human"}, "patch"),
        ("nonsense", {}, "nonsense"),
    ],
)
def test_a_bad_argument_is_named(tool: str, arguments: dict[str, object], named: str) -> None:
    with pytest.raises(EditInvalid, match=f"`{named}`"):
        edit(tool, HUMAN, **arguments)


def test_numbered_lines() -> None:
    assert numbered("") == ""
    assert numbered("a\n\nb") == "1→ a\n2→ \n3→ b"


# What holds for every edit

_words = st.sampled_from(
    ["tea", "a\nb", "", "x", "\t", "1→ ", "human", "notes", "*** ", "+x", "-tea"]
)
_arguments = st.dictionaries(
    st.sampled_from(
        [
            "label",
            "content",
            "old_content",
            "new_content",
            "old_string",
            "new_string",
            "new_memory",
            "insert_line",
            "patch",
            "command",
            "path",
            "file_text",
            "description",
            "insert_text",
            "old_path",
            "new_path",
        ]
    ),
    _words
    | st.integers(-2, 4)
    | st.none()
    | st.sampled_from(["create", "delete", "rename", "insert", "str_replace", "view"])
    | st.sampled_from(
        [
            "@@\n-tea\n+x",
            "*** Add Block: notes\n+x\n*** Delete Block: human",
            "*** Update Block: human\n-tea\n+x\n*** Move to: person",
        ]
    ),
)


@given(
    tool=st.sampled_from(sorted(BLOCK_TOOLS)),
    arguments=_arguments,
    values=st.tuples(_words, _words),
    limit=st.integers(3, 20),
)
@pytest.mark.rule("M3", "M5", "M7")
def test_an_edit_does_what_it_says_or_raises(
    tool: str, arguments: dict[str, object], values: tuple[str, str], limit: int
) -> None:
    before = (
        block("human", values[0], limit=limit),
        block("rules", values[1], limit=limit, read_only=True),
    )
    try:
        edited = applied(BlockEdit(tool=tool, arguments=arguments), before, new_id=ids())
    except (Invalid, Missing, Conflict):
        return
    known = {each.id: each for each in before}
    for changed in edited.changed:
        assert changed != known[changed.id]
        assert not changed.read_only
    assert {each.id for each in edited.created}.isdisjoint(known)
    assert "block-rules" not in edited.detached
    for each in (*edited.changed, *edited.created):
        assert len(each.value) <= each.limit


@given(prefix=st.text("ab\n", max_size=9), suffix=st.text("ab\n", max_size=9), new=st.text("cd\n"))
def test_a_replacement_touches_nothing_around_it(prefix: str, suffix: str, new: str) -> None:
    whole = block("b", f"{prefix}OLD{suffix}")
    edited = edit("memory_replace", whole, label="b", old_string="OLD", new_string=new)
    assert value(edited) == f"{prefix}{new}{suffix}"


@given(
    rows=st.lists(st.text("ab", max_size=3), min_size=1, max_size=6).filter(lambda r: r != [""]),
    data=st.data(),
)
def test_an_insertion_is_one_more_line_and_nothing_else(
    rows: list[str], data: st.DataObject
) -> None:
    line = data.draw(st.integers(0, len(rows)))
    edited = edit(
        "memory_insert", block("b", "\n".join(rows)), label="b", new_string="N", insert_line=line
    )
    after = value(edited).split("\n")
    assert after[line] == "N"
    assert after[:line] + after[line + 1 :] == rows
