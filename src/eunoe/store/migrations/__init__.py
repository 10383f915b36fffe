"""The schema's history. This module knows only its revisions, so that a start imports no more.

A revision is rendered to SQL and run by our own drivers (`render`): two SQLite libraries on
one file in one process corrupt its locks. So it says what it does in SQL alone, and reads
no rows into Python.
"""

import importlib.metadata
from collections.abc import Collection, Sequence
from typing import Final

REVISIONS: Final = (
    "0001",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
)
"""Every revision, oldest first. A stored one that is not here comes from a newer Eunoe."""

EXPANSIONS: Final = frozenset(
    {"0011", "0012", "0014", "0015", "0016", "0017", "0018", "0019", "0020"}
)
"""Revisions that only add what the code before them need not know: it works on after them."""

HEAD: Final = REVISIONS[-1]


def width_stamp(
    revisions: Sequence[str] = REVISIONS, expansions: Collection[str] = EXPANSIONS
) -> str:
    """Return the comment that says how far back the code may be that works on the newest."""
    place = len(revisions) - 1
    while place > 0 and revisions[place] in expansions:
        place -= 1
    return f"{revisions[-1]} works since {revisions[place]}"


def jobs_stamp() -> str:
    """Return the comment that our table of jobs bears once the job engine's schema is current."""
    return f"pgqueuer {importlib.metadata.version('pgqueuer')}"
