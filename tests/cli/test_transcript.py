"""What a conversation looks like, line by line; and what a model may not do to a terminal."""

import io

from rich.console import Console

from eunoe.cli.stream import Called, Ended, Failed, Piece, Returned, Said, Stopped, Used, pieces
from eunoe.cli.transcript import Transcript, printable
from tests.cli.test_stream import RECORDED


class Screen:
    """A transcript on a terminal that is a string."""

    def __init__(self, name: str = "Scout") -> None:
        self._out = io.StringIO()
        self.transcript = Transcript(Console(file=self._out, width=80, highlight=False), name=name)

    def lines(self) -> list[str]:
        return [line.rstrip(" ") for line in self._out.getvalue().rstrip("\n").split("\n")]


def _shown(*found: Piece) -> list[str]:
    screen = Screen()
    for piece in found:
        screen.transcript.show(piece)
    return screen.lines()


def test_a_turn_is_shown_in_the_order_it_happened() -> None:
    assert _shown(*pieces([RECORDED])) == [
        "  ∴ She is \u2028Ada.",
        '  ⚙ memory_insert label="human"',
        "    ✓ done",
        "Scout ▸ Hello Ada",
        "  12 tokens, 2 steps",
    ]


def test_pieces_of_two_parts_do_not_run_together() -> None:
    assert _shown(
        Said(kind="assistant", otid="a", text="\nOne"),
        Said(kind="assistant", otid="b", text="Two"),
        Called(call_id="1", name="f", arguments='{"a": 1}'),
        Called(call_id="2", name="g", arguments="{}"),
        Said(kind="assistant", otid="c", text="   "),
        Ended(),
    ) == ["Scout ▸ One", "Scout ▸ Two", "  ⚙ f a=1", "  ⚙ g", "Scout ▸"]


def test_failures_and_odd_ends_are_said() -> None:
    assert _shown(
        Returned(call_id="1", ok=False, text="no such\nblock"),
        Stopped(reason="max_steps"),
        Used(tokens=1234, steps=1),
        Failed(message="The provider failed.", detail="429"),
    ) == [
        "    ✗ no such block",
        "  stopped: max_steps",
        "  1,234 tokens, 1 step",
        "  ✗ The provider failed. 429",
    ]


def test_arguments_that_are_no_object_are_shown_as_they_are() -> None:
    for text in ("{broken", '["list"]', '"text"'):
        assert _shown(
            Called(call_id="1", name="f", arguments=""),
            Called(call_id="1", name="", arguments=text),
            Ended(),
        ) == [f"  ⚙ f {text}"]


def test_a_call_that_waits_for_approval_is_kept() -> None:
    screen = Screen()
    for piece in (
        Called(call_id="1", name="pay", arguments='{"euro"', asks=True),
        Called(call_id="1", name="", arguments=": 5}", asks=True),
        Stopped(reason="requires_approval"),
    ):
        screen.transcript.show(piece)
    assert screen.transcript.waiting == {"1": "pay euro=5"}
    assert screen.lines() == ["  ⚙ pay euro=5"]


def test_memory_edits_are_shown_as_changed_lines() -> None:
    screen = Screen()
    before = {"human": "Name: unknown\nLikes tea", "persona": "same"}
    after = {"human": "Name: Ada\nLikes tea", "persona": "same", "notes": "new"}
    screen.transcript.show_edits(before, after)
    assert screen.lines() == [
        "  ✎ human",
        "    - Name: unknown",
        "    + Name: Ada",
        "  ✎ notes",
        "    + new",
    ]
    screen.transcript.show_edits(after, after)
    assert len(screen.lines()) == 5


def test_the_memory_is_shown_whole() -> None:
    screen = Screen()
    screen.transcript.show_blocks({"human": "one\ntwo", "empty": ""})
    assert screen.lines() == ["  ✎ human", "    one", "    two", "  ✎ empty", "    (empty)"]


def test_nothing_a_model_says_steers_the_terminal() -> None:
    evil = "\x1b]0;title\x07\x1b[2J[bold red]x[/] \x9b31m\rback\x08\ttab\u202e"
    assert printable(evil) == "]0;title[2J[bold red]x[/] 31mback\ttab"
    screen = Screen(name=evil)
    shown = (
        Said(kind="assistant", otid="a", text=evil),
        Called(call_id="1", name=evil, arguments=evil, asks=True),
        Returned(call_id="1", ok=True, text=evil),
        Failed(message=evil, detail=evil),
    )
    for piece in shown:
        screen.transcript.show(piece)
    screen.transcript.note(evil)
    screen.transcript.show_edits({evil: evil}, {})
    screen.transcript.show_blocks({evil: evil})
    text = "\n".join(screen.lines())
    assert not any(character in text for character in "\x1b\x9b\x07\x08\r")
    assert "[bold red]" in text
