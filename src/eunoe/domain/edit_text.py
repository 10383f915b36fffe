"""Edits of one text: what a block's value becomes, or why it cannot."""

import re
from typing import Final

from eunoe.errors import EditAmbiguous, EditInvalid, EditNotFound

LINE_NUMBER_WARNING: Final = (
    "The number and arrow before each line are for reading only: leave them out of every edit."
)
_NUMBERED: Final = re.compile(r"^[+-]?[^\S\n]*\d+→", re.MULTILINE)
_QUOTED_LINES: Final = 4


def numbered(value: str) -> str:
    """Return `value` with each line as `N→ text`, N from 1; an empty value has no lines (L14)."""
    return "\n".join(f"{number}→ {line}" for number, line in enumerate(lines(value), start=1))


def lines(value: str) -> list[str]:
    """Return the lines of `value`; an empty value has none."""
    return value.split("\n") if value else []


def plain(text: str, *, argument: str) -> str:
    """Return `text` with tabs as spaces; raise `EditInvalid` where it quotes line numbers.

    The numbers are display only (the checks "L#" and "W" of 5.2): a text that
    holds them was copied from the prompt and would put them into memory.
    """
    unnumbered(text, argument=argument)
    return text.expandtabs()


def unnumbered(text: str, *, argument: str) -> None:
    """Raise `EditInvalid` where `text` holds line numbers or the sentence that warns of them."""
    if _NUMBERED.search(text):
        raise EditInvalid(
            f"`{argument}` contains line numbers such as `1→`, which are for reading only; "
            "write the text without them.",
            argument=argument,
        )
    if LINE_NUMBER_WARNING in text:
        raise EditInvalid(
            f"`{argument}` contains the warning about line numbers, which is not part of the "
            "block; write the text without it.",
            argument=argument,
        )


def replaced_everywhere(value: str, old: str, new: str, *, label: str) -> str:
    """Return `value` with every `old` replaced; raise where there is none (FIX-28)."""
    _not_empty(old, argument="old_content")
    if old not in value:
        raise _missing(old, label)
    return value.replace(old, new)


def replaced_once(value: str, old: str, new: str, *, label: str) -> str:
    """Return `value` with its one `old` replaced, tabs as spaces (M11).

    Raises `EditNotFound`, or `EditAmbiguous` with the line on which each occurrence
    starts (FIX-29). Occurrences that overlap count too: which one is meant is unclear.
    """
    _not_empty(old, argument="old_string")
    spaced = value.expandtabs()
    starts = _occurrences(spaced, old)
    if not starts:
        raise _missing(old, label)
    if len(starts) > 1:
        numbers = sorted({spaced.count("\n", 0, start) + 1 for start in starts})
        raise EditAmbiguous(
            f"The text occurs {len(starts)} times in the block `{label}`, on lines "
            f"{', '.join(map(str, numbers))}; quote more of its surroundings.",
            label=label,
            lines=numbers,
        )
    start = starts[0]
    return spaced[:start] + new + spaced[start + len(old) :]


def inserted(value: str, new: str, *, line: int, label: str) -> str:
    """Return `value` with `new` after its line number `line`: 0 is the top, -1 the end."""
    rows = lines(value.expandtabs())
    if line < -1 or line > len(rows):
        raise EditInvalid(
            f"`insert_line` is {line}, and the block `{label}` takes 0 to {len(rows)}, "
            "or -1 for the end.",
            label=label,
        )
    at = len(rows) if line == -1 else line
    return "\n".join([*rows[:at], new, *rows[at:]])


def quoted(rows: list[str]) -> str:
    """Return the first lines of `rows` for an error message."""
    shown = "\n".join(rows[:_QUOTED_LINES])
    return shown if len(rows) <= _QUOTED_LINES else f"{shown}\n…"


def _occurrences(value: str, old: str) -> list[int]:
    starts: list[int] = []
    start = value.find(old)
    while start != -1:
        starts.append(start)
        start = value.find(old, start + 1)
    return starts


def _not_empty(old: str, *, argument: str) -> None:
    if not old:
        raise EditInvalid(
            f"`{argument}` is empty; quote the text to replace, or use a tool that inserts.",
            argument=argument,
        )


def _missing(old: str, label: str) -> EditNotFound:
    return EditNotFound(
        f"The block `{label}` does not contain this text; quote it exactly:\n"
        f"{quoted(old.split(chr(10)))}",
        label=label,
    )
