"""Files in folders: what one is, how it is called, and what an agent has open (F1 to F5)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final, Literal, TypeAlias

from eunoe.domain.agents import Agent

FileStatus: TypeAlias = Literal["pending", "parsing", "embedding", "completed", "error"]
Duplicates: TypeAlias = Literal["skip", "error", "suffix", "replace"]
FILE_TOOLS: Final = ("open_files", "grep_files", "semantic_search_files")
MAX_FILE_BYTES: Final = 50 * 1024 * 1024
MOST_LISTED: Final = 500
"""How many files of an agent its prompt names; every one of them is open or the newest."""

_LONGEST_NAME: Final = 255
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_BOUNDS: Final = (
    (0, 5, 50_000),
    (8_000, 3, 5_000),
    (32_000, 5, 15_000),
    (128_000, 10, 25_000),
    (200_000, 10, 40_000),
)
_WIDEST: Final = (15, 40_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """`name` is unique in its folder; `line_count` is null until there is text."""

    id: str
    folder_id: str
    name: str
    original_name: str
    type: str
    size: int
    status: FileStatus = "parsing"
    error: str | None = None
    total_chunks: int | None = None
    chunks_embedded: int | None = None
    line_count: int | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBlock:
    """A file as an agent has it. `name` is `<folder>/<file>`; lines count from 0, the end is out.

    `visible` is what the agent sees of it while it is open; without lines it is the whole.
    """

    id: str
    file_id: str
    folder_id: str
    folder_name: str
    name: str
    is_open: bool
    visible: str | None = None
    start_line: int | None = None
    end_line: int | None = None
    line_count: int = 0
    last_accessed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A folder as an agent's prompt shows it; `unlisted` counts the files left out."""

    name: str
    description: str | None
    instructions: str | None
    files: tuple[FileBlock, ...]
    unlisted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """What an agent wants to see: `offset` is the first line from 0, `length` counts lines (F8)."""

    name: str
    offset: int | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOpening:
    """A call of `open_files`, to be carried out with the transaction that stores its result."""

    requests: tuple[FileRequest, ...]
    close_all_others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """How many files an agent may have open, and how many characters of each it sees."""

    open: int
    chars: int


def file_limits(agent: Agent) -> FileLimits:
    """Return the agent's own limits, by its context window where it has none (F4)."""
    window = agent.model.context_window
    files, chars = next((bound[1:] for bound in _BOUNDS if window <= bound[0]), _WIDEST)
    return FileLimits(
        open=files if agent.max_files_open is None else max(1, agent.max_files_open),
        chars=chars
        if agent.per_file_view_window_char_limit is None
        else max(0, agent.per_file_view_window_char_limit),
    )


def safe_name(name: str) -> str:
    """Return the base name, free of what no file system takes, at most 255 characters long.

    It may come out empty, or begin with a dot; both are for the caller to refuse (15.4.3).
    """
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    clean = _UNSAFE.sub("_", base.encode("utf-8", "ignore").decode()).strip()
    if len(clean) <= _LONGEST_NAME:
        return clean
    suffix = PurePosixPath(clean).suffix[:32]
    return clean[: _LONGEST_NAME - len(suffix)] + suffix


def numbered_name(name: str, number: int) -> str:
    """Return the name that the `number`-th file of that name gets (15.4.4)."""
    path = PurePosixPath(name)
    tail = f"_({number}){path.suffix}"
    return path.stem[: _LONGEST_NAME - len(tail)] + tail


def opened_first(new: Sequence[str], old: Sequence[FileBlock], *, most: int) -> set[str]:
    """Return the ids of the files that are open once `new` ones have come (F3).

    `old` are those that were open. New ones come first, then those of the old that were
    looked at last.
    """
    kept = most - len(new)
    if kept <= 0:
        return set(new[:most])
    return {*new, *(one.file_id for one in _latest(old)[:kept])}


def surplus(held: Sequence[FileBlock], *, most: int, keep: Sequence[str] = ()) -> list[FileBlock]:
    """Return the open files to close so that at most `most` stay, the least recently used first.

    Those to `keep` stay whatever the time they were last looked at.
    """
    kept = set(keep)
    others = [one for one in _latest(held) if one.is_open and one.file_id not in kept]
    return others[max(0, most - len(kept)) :][::-1]


def _latest(held: Sequence[FileBlock]) -> list[FileBlock]:
    return sorted(held, key=lambda one: (one.last_accessed_at, one.name), reverse=True)
