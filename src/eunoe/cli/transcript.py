"""What a conversation looks like in a terminal: speech, reasoning, tool calls, memory edits."""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Final, TypeAlias, assert_never, cast

from rich.console import Console
from rich.text import Text

from eunoe.cli.stream import Called, Ended, Failed, Piece, Placed, Returned, Said, Stopped, Used

Blocks: TypeAlias = Mapping[str, str]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LONGEST_VALUE: Final = 160
_LONGEST_RETURN: Final = 300
# An error is told by what follows.
_QUIET_REASONS: Final = frozenset({"end_turn", "error", "requires_approval", "tool_rule"})
_STYLES: Final = {"assistant": "", "reasoning": "dim italic", "summary": "dim"}


def printable(text: str) -> str:
    """Return text without what steers a terminal or turns text around: a model must not."""
    return _CONTROL.sub("", text)


class Transcript:
    """Writes one turn after another. Lives as long as the conversation."""

    def __init__(self, console: Console, *, name: str) -> None:
        self._console = console
        self._name = printable(name)
        self._open: str | None = None
        self._call = Called(call_id="", name="", arguments="")
        self.waiting: dict[str, str] = {}
        """Calls that wait for approval: id to the line that shows them."""

    def show(self, piece: Piece) -> None:
        """Write a piece of a stream, at once."""
        match piece:
            case Said():
                self._say(piece)
            case Called():
                self._hear_call(piece)
            case Returned():
                self._end_part()
                mark = Text("    ✓ ", "green") if piece.ok else Text("    ✗ ", "red")
                self._line(mark + Text(_short(piece.text, _LONGEST_RETURN), "dim"))
            case Stopped():
                self._end_part()
                if piece.reason not in _QUIET_REASONS:
                    self._line(Text(f"  stopped: {piece.reason}", "yellow"))
            case Used():
                self._end_part()
                steps = f"{piece.steps} step" + ("" if piece.steps == 1 else "s")
                self._line(Text(f"  {piece.tokens:,} tokens, {steps}", "dim"))
            case Failed():
                self._end_part()
                detail = f" {piece.detail}" if piece.detail else ""
                self._line(Text(f"  ✗ {printable(piece.message + detail)}", "red"))
            case Placed():
                pass
            case Ended():
                self._end_part()
            case _:
                assert_never(piece)

    def note(self, text: str, style: str = "dim") -> None:
        """Write a line that is ours and not the agent's."""
        self._end_part()
        self._line(Text(f"  {printable(text)}", style))

    def show_edits(self, before: Blocks, after: Blocks) -> None:
        """Write what changed in the memory blocks, line by line; nothing where nothing did."""
        for label in [*before, *(new for new in after if new not in before)]:
            old, new = before.get(label), after.get(label)
            if old != new:
                self._end_part()
                self._line(Text("  ✎ ", "magenta") + Text(printable(label), "bold magenta"))
                for line in _changed_lines(old or "", new or ""):
                    style = "green" if line.startswith("+") else "red"
                    self._line(Text(f"    {line}", style))

    def show_blocks(self, blocks: Blocks) -> None:
        """Write the whole memory."""
        self._end_part()
        for label, value in blocks.items():
            self._line(Text("  ✎ ", "magenta") + Text(printable(label), "bold magenta"))
            for line in printable(value).splitlines() or ["(empty)"]:
                self._line(Text(f"    {line}"))

    def _say(self, piece: Said) -> None:
        part = f"{piece.kind} {piece.otid}"
        text = printable(piece.text)
        if self._open != part:
            text = text.lstrip("\n")
            if not text:
                return
            self._end_part()
            self._open = part
            label = f"{self._name} ▸ " if piece.kind == "assistant" else "  ∴ "
            self._write(Text(label, "bold cyan" if piece.kind == "assistant" else "dim"))
        self._write(Text(text, _STYLES[piece.kind]))

    def _hear_call(self, piece: Called) -> None:
        """Write a call's name when it begins, its arguments when it is whole."""
        if self._open != f"call {piece.call_id}":
            self._end_part()
            self._open = f"call {piece.call_id}"
            self._call = piece
            self._write(Text("  ⚙ ", "blue") + Text(printable(piece.name), "bold blue"))
            return
        before = self._call
        if not before.name and piece.name:
            self._write(Text(printable(piece.name), "bold blue"))
        self._call = Called(
            call_id=before.call_id,
            name=before.name or piece.name,
            arguments=before.arguments + piece.arguments,
            asks=piece.asks,
        )

    def _end_part(self) -> None:
        if self._open is None:
            return
        if self._open.startswith("call "):
            shown = _arguments(self._call.arguments)
            self._write(Text(f" {shown}", "blue"))
            if self._call.asks:
                self.waiting[self._call.call_id] = f"{printable(self._call.name)} {shown}"
        self._open = None
        self._line(Text())

    def _write(self, text: Text) -> None:
        self._console.print(text, end="", soft_wrap=True)

    def _line(self, text: Text) -> None:
        # A terminal would break words; where nobody watches, a line stays one.
        self._console.print(text, soft_wrap=not self._console.is_terminal)


def _arguments(text: str) -> str:
    """Return a call's arguments as `name=value`, or as they are where they are no JSON object."""
    try:
        found = cast("object", json.loads(text or "{}"))
    except ValueError:
        return _short(text, _LONGEST_VALUE)
    if not isinstance(found, dict):
        return _short(text, _LONGEST_VALUE)
    named = cast("dict[str, object]", found)
    return " ".join(
        f"{printable(name)}={_short(json.dumps(value, ensure_ascii=False), _LONGEST_VALUE)}"
        for name, value in named.items()
    )


def _short(text: str, longest: int) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _changed_lines(old: str, new: str) -> list[str]:
    compared = difflib.ndiff(printable(old).splitlines(), printable(new).splitlines())
    return [line for line in compared if line.startswith(("+", "-"))]
