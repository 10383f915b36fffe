"""The `memory` tool, which takes commands on paths."""

import pytest

from eunoe.domain.edits import Edited
from eunoe.errors import BlockExists, BlockMissing, EditInvalid
from tests.domain.conversations import block
from tests.domain.test_edits import edit, value

NOTES = block("notes/work", "first\nsecond")


def memory(command: str, **arguments: object) -> Edited:
    return edit("memory", NOTES, block("human", "Ada"), command=command, **arguments)


def test_create() -> None:
    edited = memory("create", path="/memories/pets/cats", description="cats", file_text="Tom")
    (created,) = edited.created
    assert (created.label, created.value, created.description) == ("pets/cats", "Tom", "cats")
    assert created.limit == 100_000
    assert memory("create", path="empty", description="x").created[0].value == ""


@pytest.mark.rule("FIX-35", "FIX-34")
@pytest.mark.parametrize("path", ["human", "/memories/human", "/human", "notes_work", "notes/work"])
def test_create_does_not_overwrite(path: str) -> None:
    with pytest.raises(BlockExists):
        memory("create", path=path, description="x", file_text="new")


def test_create_needs_a_label() -> None:
    with pytest.raises(EditInvalid, match="label"):
        memory("create", path="/memories/", description="x")


def test_str_replace_returns_the_new_value() -> None:
    edited = memory("str_replace", path="/memories/human", old_string="Ada", new_string="Eve")
    assert edited.output == value(edited) == "Eve"


@pytest.mark.rule("FIX-36")
@pytest.mark.parametrize(
    ("line", "expected"), [({}, "first\nsecond\nnew"), ({"insert_line": 1}, "first\nnew\nsecond")]
)
def test_insert_appends_unless_told_where(line: dict[str, int], expected: str) -> None:
    edited = memory("insert", path="/notes/work", insert_text="new", **line)
    assert edited.output == value(edited) == expected


@pytest.mark.rule("FIX-34")
@pytest.mark.parametrize("path", ["notes/work", "/memories/notes/work", "notes_work"])
def test_delete_finds_the_block_under_either_name(path: str) -> None:
    edited = memory("delete", path=path)
    assert edited.detached == ("block-notes/work",)
    assert "deleted" in edited.output


@pytest.mark.rule("FIX-37")
def test_a_delete_that_fails_is_an_error() -> None:
    with pytest.raises(BlockMissing):
        memory("delete", path="unknown")


def test_rename_changes_the_label_or_the_description() -> None:
    (moved,) = memory("rename", old_path="notes/work", new_path="/memories/notes/job").changed
    assert (moved.label, moved.value) == ("notes/job", NOTES.value)
    (described,) = memory("rename", path="human", description="the person").changed
    assert (described.label, described.description) == ("human", "the person")
    (both,) = memory("rename", old_path="human", new_path="user", description="x").changed
    assert (both.label, both.description) == ("user", "x")


def test_rename_takes_no_label_that_is_in_use() -> None:
    with pytest.raises(BlockExists):
        memory("rename", old_path="human", new_path="notes_work")
    (respelled,) = memory("rename", old_path="notes/work", new_path="notes_work").changed
    assert respelled.label == "notes_work"


@pytest.mark.rule("M20")
def test_view_lists_blocks_or_shows_one_with_numbers() -> None:
    listed = memory("view")
    assert "notes/work (12 of 1000 characters)" in listed.output
    assert "human" in listed.output
    assert memory("view", path="/memories/notes/work").output == "1→ first\n2→ second"
    assert listed.changed == listed.created == ()
    with pytest.raises(BlockMissing):
        memory("view", path="unknown")


def test_other_commands_are_answered_with_those_there_are() -> None:
    with pytest.raises(EditInvalid, match="create, str_replace, insert, delete, rename"):
        memory("append", path="human")


@pytest.mark.rule("M19")
@pytest.mark.parametrize(
    ("command", "arguments", "named"),
    [
        ("create", {"path": "x"}, "description"),
        ("create", {"description": "x"}, "path"),
        ("str_replace", {"path": "human", "new_string": "x"}, "old_string"),
        ("insert", {"path": "human"}, "insert_text"),
        ("delete", {}, "path"),
        ("rename", {"old_path": "human"}, "new_path"),
        ("rename", {"description": "x"}, "path"),
        ("rename", {"path": "human"}, "old_path"),
    ],
)
def test_a_missing_argument_is_named(command: str, arguments: dict[str, str], named: str) -> None:
    with pytest.raises(EditInvalid, match=f"`{named}` is missing; `memory {command}`"):
        memory(command, **arguments)
