"""`memory_apply_patch`: hunks on one block, operations on several."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.blocks import Block
from eunoe.domain.edits import Edited
from eunoe.errors import (
    BlockExists,
    BlockMissing,
    EditAmbiguous,
    EditInvalid,
    EditNotFound,
    EunoeError,
)
from tests.domain.conversations import block
from tests.domain.test_edits import edit, value

LIST = block("list", "one\ntwo\nthree\ntwo and a half")


def patch(text: str, *blocks: Block) -> Edited:
    return edit("memory_apply_patch", *(blocks or (LIST,)), label="list", patch=text)


@pytest.mark.rule("M14", "M15")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@@\n one\n-two\n+2", "one\n2\nthree\ntwo and a half"),
        ("-two\n+2\n", "one\n2\nthree\ntwo and a half"),
        ("@@\n-one\n+1\n@@\n-three\n+3", "1\ntwo\n3\ntwo and a half"),
        ("@@\n-one\n@@\n+four", "two\nthree\ntwo and a half\nfour"),
        ("--- a\n+++ b\n@@ -1 +1 @@\n-one\n+1", "1\ntwo\nthree\ntwo and a half"),
        ("*** Begin Patch\n@@\n-one\n+1\n\n*** End Patch", "1\ntwo\nthree\ntwo and a half"),
        ("\n@@\n-one\n+1\n\n@@\n-three\n+3\n\n", "1\ntwo\n3\ntwo and a half"),
        ("@@\nstray words\n-one\n+1", "1\ntwo\nthree\ntwo and a half"),
    ],
)
def test_hunks(text: str, expected: str) -> None:
    edited = patch(text)
    assert value(edited) == expected
    assert edited.output == expected


@pytest.mark.rule("M15")
def test_later_hunks_see_what_earlier_ones_made() -> None:
    assert value(patch("@@\n-one\n+uno\n@@\n-uno\n+1")) == "1\ntwo\nthree\ntwo and a half"


@pytest.mark.rule("FIX-31")
def test_a_removed_line_that_looks_like_a_header_is_removed() -> None:
    signed = block("list", "text\n-- signature\n++ more")
    assert value(patch("@@\n text\n--- signature\n+bye", signed)) == "text\nbye\n++ more"
    assert value(patch("--- signature", signed)) == "text\n++ more"
    assert value(patch(" text\n--- signature\n+++ more!", signed)) == "text\n++ more!\n++ more"
    assert value(patch("@@\n--- signature\n+++ more!", signed)) == "text\n++ more!\n++ more"


@pytest.mark.rule("M15")
def test_blank_lines_are_context() -> None:
    spaced = block("list", "a\n\nb")
    assert value(patch("@@\n a\n\n-b\n+c", spaced)) == "a\n\nc"
    with pytest.raises(EditNotFound):
        patch("@@\n one\n\n-two\n+2")


@pytest.mark.rule("M15")
def test_a_hunk_that_fits_nowhere_quotes_what_it_looked_for() -> None:
    with pytest.raises(EditNotFound, match="two and"):
        patch("@@\n-two and\n+x")


@pytest.mark.rule("M15")
def test_a_hunk_that_fits_twice_asks_for_context() -> None:
    twice = block("list", "a\nb\na")
    with pytest.raises(EditAmbiguous, match="context") as raised:
        patch("@@\n-a\n+c", twice)
    assert raised.value.detail["lines"] == [1, 3]
    assert value(patch("@@\n b\n-a\n+c", twice)) == "a\nb\nc"


@pytest.mark.rule("M14")
@pytest.mark.parametrize("text", ["", "nothing", "@@\n context only", "\n\n", "*** Begin Patch"])
def test_a_patch_without_hunks_is_refused(text: str) -> None:
    with pytest.raises(EditInvalid, match="no hunk"):
        patch(text)


@pytest.mark.rule("M16", "M18")
def test_operations_on_several_blocks() -> None:
    edited = patch(
        "*** Begin Patch\n"
        "*** Add Block: pets\n"
        "Description: animals\n"
        "+a cat\n"
        "\n"
        "+a dog\n"
        "\n"
        "*** Delete Block: old\n"
        "*** Update Block: list\n"
        "@@\n"
        "-one\n"
        "+1\n"
        "*** End Patch",
        LIST,
        block("old"),
    )
    (created,) = edited.created
    assert (created.label, created.description, created.value) == (
        "pets",
        "animals",
        "a cat\n\na dog",
    )
    assert created.id == "block-new-1"
    assert edited.detached == ("block-old",)
    assert value(edited).startswith("1\n")
    for word in ("added `pets`", "deleted `old`", "updated `list`", "recompiled"):
        assert word in edited.output


@pytest.mark.rule("FIX-32")
def test_the_text_changes_before_the_name() -> None:
    edited = patch("*** Update Block: list\n*** Move to: numbers\n@@\n-one\n+1")
    (changed,) = edited.changed
    assert (changed.label, changed.value) == ("numbers", "1\ntwo\nthree\ntwo and a half")
    (renamed,) = patch("*** Update Block: list\n*** Move to: numbers").changed
    assert renamed == replace(LIST, label="numbers")


@pytest.mark.rule("M16")
def test_what_an_operation_cannot_do() -> None:
    with pytest.raises(BlockExists):
        patch("*** Add Block: list\n+x")
    with pytest.raises(BlockMissing):
        patch("*** Delete Block: nothing")
    with pytest.raises(BlockExists):
        patch("*** Update Block: list\n*** Move to: other", LIST, block("other"))
    with pytest.raises(EditInvalid, match="Move to"):
        patch("*** Move to: other")
    with pytest.raises(EditInvalid, match="Move to"):
        patch("*** Delete Block: list\n*** Move to: other")
    with pytest.raises(EditInvalid, match="names no block"):
        patch("*** Add Block:\n+x")
    with pytest.raises(EditInvalid, match="no hunk"):
        patch("*** Update Block: list")


def test_a_block_made_and_dropped_in_one_patch_leaves_no_trace() -> None:
    edited = patch("*** Add Block: pets\n+x\n*** Delete Block: pets")
    assert (edited.created, edited.changed, edited.detached) == ((), (), ())


_operations = st.lists(
    st.sampled_from(
        [
            "*** Add Block: pets\n+x",
            "*** Add Block: list\n+x",
            "*** Delete Block: old",
            "*** Delete Block: missing",
            "*** Update Block: list\n-one\n+1",
            "*** Update Block: list\n-nine\n+9",
            "*** Update Block: old\n*** Move to: older",
            "*** Update Block: rules\n+x",
        ]
    ),
    min_size=1,
    max_size=5,
)


@given(_operations)
@pytest.mark.rule("FIX-33")
def test_a_patch_is_whole_or_nothing(operations: list[str]) -> None:
    """A patch that raises gives no blocks at all; one that does not did every operation."""
    blocks = (LIST, block("old"), block("rules", read_only=True))
    try:
        edited = patch("\n".join(operations), *blocks)
    except EunoeError:
        return
    assert len(set(operations)) == len(operations), "nothing here can be done twice"
    assert not {"*** Add Block: list\n+x", "*** Delete Block: missing"} & set(operations)
    assert edited.output.count(";") >= len(operations) - 1


@given(
    rows=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=8, unique=True),
    data=st.data(),
)
def test_a_hunk_changes_its_lines_alone(rows: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.integers(start + 1, len(rows)))
    new = data.draw(st.lists(st.text("xyz", max_size=3), max_size=3))
    text = "\n".join(["@@", *(f"-{row}" for row in rows[start:end]), *(f"+{row}" for row in new)])
    edited = patch(text, block("list", "\n".join(rows)))
    after = "\n".join([*rows[:start], *new, *rows[end:]])
    assert edited.output == after
