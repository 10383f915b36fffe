"""The tools that read files: what a model may ask, and how it reads the answer (F8 to F21)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from eunoe.domain.files import FileOpening, FileRequest
from eunoe.errors import ToolArgumentsInvalid
from eunoe.tools.fields import optional_text, text, truth, whole_number

MATCHES_A_PAGE: Final = 20
_LONGEST_PATTERN: Final = 1_000
_MOST_CONTEXT: Final = 50
_DEFAULT_LIMIT: Final = 5
_MAX_LIMIT: Final = 50
_SHOWN_LINES: Final = 20
_SHOWN_CHARS: Final = 4_000
_NAMES_TOLD: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GrepQuery:
    """`offset` is the first match wanted, from 0."""

    pattern: str
    include: str | None = None
    context_lines: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrepMatch:
    """`line` counts from 1; `lines` are those around it and itself, with their numbers."""

    name: str
    line: int
    lines: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grepped:
    """`counts` are the matches of each file; `skipped` the files that were too large."""

    matches: tuple[GrepMatch, ...]
    counts: Mapping[str, int]
    total: int
    searched: int
    skipped: int = 0
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePassage:
    name: str
    text: str


class Files(Protocol):
    """Looks into the files of one agent, open or not."""

    async def grep(self, query: GrepQuery) -> Grepped: ...

    async def search(self, query: str, *, limit: int) -> list[FilePassage]: ...


def opening(arguments: Mapping[str, object]) -> FileOpening:
    """Return what a call of `open_files` asks for; a name alone stands for a whole file."""
    of = "open_files"
    given = arguments.get("file_requests")
    items = cast("Sequence[object]", given) if isinstance(given, list) else [given]
    return FileOpening(
        requests=tuple(_request(item) for item in items if item is not None),
        close_all_others=truth(arguments, "close_all_others", of=of),
    )


def _request(item: object) -> FileRequest:
    of = "open_files"
    if isinstance(item, str):
        return FileRequest(name=item)
    if not isinstance(item, dict):
        raise ToolArgumentsInvalid(
            "`file_requests` must be a list of objects with a `file_name`.",
            argument="file_requests",
        )
    fields = cast("Mapping[str, object]", item)
    return FileRequest(
        name=text(fields, "file_name", of=of),
        offset=_optional_number(fields, "offset", of=of),
        length=_optional_number(fields, "length", of=of),
    )


def _optional_number(fields: Mapping[str, object], name: str, *, of: str) -> int | None:
    return None if fields.get(name) is None else whole_number(fields, name, of=of, default=0)


async def grep_files(arguments: Mapping[str, object], *, files: Files) -> str:
    """Search all files line by line; raise for an expression that is too long (F17, F18)."""
    of = "grep_files"
    pattern = text(arguments, "pattern", of=of)
    if not pattern or len(pattern) > _LONGEST_PATTERN:
        raise ToolArgumentsInvalid(
            f"`pattern` has {len(pattern)} characters; it may have 1 to {_LONGEST_PATTERN}."
        )
    query = GrepQuery(
        pattern=pattern,
        include=optional_text(arguments, "include", of=of) or None,
        context_lines=_within(
            whole_number(arguments, "context_lines", of=of, default=1), _MOST_CONTEXT
        ),
        offset=max(0, whole_number(arguments, "offset", of=of, default=0)),
    )
    return _told(query, await files.grep(query))


def _within(number: int, most: int) -> int:
    return max(0, min(number, most))


def _told(query: GrepQuery, found: Grepped) -> str:
    """Return matches as the model reads them: how many, where, then one by one (F19)."""
    notes: list[str] = []
    if found.skipped:
        notes.append(f"{found.skipped} files were left out, since they are too large to search.")
    if not found.total:
        return "\n".join([f"No match for `{query.pattern}` in {found.searched} files.", *notes])
    if not found.matches:
        raise ToolArgumentsInvalid(
            f"`offset` is {query.offset}, and there are {found.total} matches; the first is 0."
        )
    last = query.offset + len(found.matches)
    more = "or more " if found.is_cut else ""
    rows = [
        f"{found.total} {more}matches in {len(found.counts)} of {found.searched} files.",
        f"These are {query.offset + 1} to {last}.",
        *notes,
        "Matches by file:",
        *(f"- {name}: {count}" for name, count in list(found.counts.items())[:_NAMES_TOLD]),
    ]
    for match in found.matches:
        rows += ["", f"=== {match.name}:{match.line} ==="]
        rows += [
            f"{'>' if number == match.line else ' '} {number}: {line}"
            for number, line in match.lines
        ]
    if last < found.total:
        rows += ["", f"There are more; go on with offset={last}."]
    return "\n".join(rows)


async def semantic_search_files(arguments: Mapping[str, object], *, files: Files) -> str:
    """Search all files by meaning; raise for a query that says nothing (F21)."""
    of = "semantic_search_files"
    query = text(arguments, "query", of=of)
    if not query.strip():
        raise ToolArgumentsInvalid("`query` is empty; say what to look for.", argument="query")
    limit = whole_number(arguments, "limit", of=of, default=_DEFAULT_LIMIT)
    found = await files.search(query, limit=max(1, min(limit, _MAX_LIMIT)))
    if not found:
        return f"Nothing in your files fits `{query}`."
    by_file: dict[str, list[str]] = {}
    for passage in found:
        by_file.setdefault(passage.name, []).append(passage.text)
    rows = [f"Found {len(found)} passages in {len(by_file)} files."]
    number = 0
    for name, texts in by_file.items():
        for one in texts:
            number += 1
            rows += ["", f"=== {name} (passage #{number}) ===", _shown(one)]
    return "\n".join(rows)


def _shown(passage: str) -> str:
    lines = passage[:_SHOWN_CHARS].split("\n")
    left = passage.count("\n") + 1 - _SHOWN_LINES
    if left <= 0:
        return "\n".join(lines)
    return "\n".join([*lines[:_SHOWN_LINES], f"... {left} more lines"])
