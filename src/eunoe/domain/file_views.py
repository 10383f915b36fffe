"""What an agent sees of a file: its lines with their numbers, within a bound (F9 to F13)."""

from collections.abc import Sequence
from typing import Final

from eunoe.domain.files import FileRequest
from eunoe.errors import ToolArgumentsInvalid

_CUT: Final = "\n...[TRUNCATED]"


def asked_range(request: FileRequest, *, line_count: int) -> tuple[int, int | None]:
    """Return first line and end, from 0 and exclusive; a null end is that of the file.

    Raises `ToolArgumentsInvalid` for a range without a line in it (F9). A length alone
    counts from the beginning (FIX-61).
    """
    offset, length = request.offset or 0, request.length
    if offset < 0:
        raise ToolArgumentsInvalid(f"`offset` is {offset}; the first line of a file is 0.")
    if length is not None and length < 1:
        raise ToolArgumentsInvalid(f"`length` is {length}; ask for one line or more.")
    if offset >= line_count and offset > 0:
        raise ToolArgumentsInvalid(
            f"{request.name} has {line_count} lines, so there is none at offset {offset}."
        )
    return offset, None if length is None else min(offset + length, line_count)


def shown_range(start: int | None, end: int | None, *, line_count: int) -> str:
    """Return a range in words, its lines counted from 1."""
    if not line_count:
        return "no lines"
    last = line_count if end is None else min(end, line_count)
    return f"lines {(start or 0) + 1}-{last}"


def view(lines: Sequence[str], *, start: int, end: int | None, line_count: int, limit: int) -> str:
    """Return `lines`, the first of which is line `start`, numbered from 1 as the file has them.

    Blank lines and indentation stay (FIX-59). `lines` may end early where they hold more than
    `limit` characters: no view is longer, and one that is cut says so (F13).
    """
    shown = shown_range(start, end, line_count=line_count)
    head = f"[Viewing {shown} of {line_count}]"
    body = "".join(f"\n{number}: {line}" for number, line in enumerate(lines, start + 1))
    if len(head) + len(body) <= limit:
        return head + body
    note = f"{_CUT}\n[A view holds {limit} characters; open a range of lines to see others.]"
    return (head + body[: max(0, limit - len(head) - len(note))] + note)[:limit]
