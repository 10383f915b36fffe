"""Queries on the files that agents have: which are open, and what is seen of them (F1)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eunoe import ids
from eunoe.domain.files import MOST_LISTED, Directory, FileBlock
from eunoe.domain.folders import Folder
from eunoe.store import codec, folders, own, related
from eunoe.store.db import Tx, among, to_micros, unindexed
from eunoe.store.mapping import FLAG, TIME, elsewhere, mapped
from eunoe.store.paging import Page
from eunoe.store.where import Where, of_organization

_NAME: Final = "folders.name || '/' || files.name"
# The open ones first, then the newest.
_ORDER: Final = "agents_files.is_open DESC, agents_files.created_at DESC, agents_files.id"
_BLOCKS: Final = mapped(
    FileBlock,
    "agents_files",
    noun="file of the agent",
    joined="JOIN files ON files.id = agents_files.file_id"
    " JOIN folders ON folders.id = files.folder_id",
    kept={
        "folder_id": elsewhere("files.folder_id"),
        "folder_name": elsewhere("folders.name"),
        "name": elsewhere(_NAME),
        "line_count": elsewhere("COALESCE(files.line_count, 0)"),
        "is_open": FLAG,
        "last_accessed_at": TIME,
    },
    unknown_cursor="missing",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A file that is to be open with what is seen of it, or closed where that is null."""

    file_id: str
    visible: str | None = None
    start_line: int | None = None
    end_line: int | None = None


async def insert(tx: Tx, agent_id: str, files: Sequence[Shown], *, at: datetime) -> None:
    """Give the agent files; those it has already stay as they are."""
    now = to_micros(at)
    await tx.execute_many(
        "INSERT INTO agents_files (id, organization_id, agent_id, file_id, is_open, visible,"
        " last_accessed_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
        " ON CONFLICT (agent_id, file_id) DO NOTHING",
        [
            (
                ids.new("file_agent"),
                tx.actor.organization_id,
                agent_id,
                one.file_id,
                int(one.visible is not None),
                one.visible,
                now,
            )
            for one in files
        ],
    )


async def show(tx: Tx, agent_id: str, files: Sequence[Shown], *, at: datetime) -> None:
    """Open files that the agent has, or move what is seen of them."""
    await tx.execute_many(
        "UPDATE agents_files SET is_open = 1, visible = $3, start_line = $4, end_line = $5,"
        " last_accessed_at = $6 WHERE agent_id = $1 AND file_id = $2 AND organization_id = $7",
        [
            (
                agent_id,
                one.file_id,
                one.visible,
                one.start_line,
                one.end_line,
                to_micros(at),
                tx.actor.organization_id,
            )
            for one in files
        ],
    )


async def close(tx: Tx, agent_id: str, file_ids: Sequence[str]) -> int:
    """Close files and drop what was seen of them; return how many the agent has of them."""
    return await tx.execute(
        "UPDATE agents_files SET is_open = 0, visible = NULL, start_line = NULL, end_line = NULL"
        f" WHERE agent_id = $1 AND file_id {among(tx, '$2')} AND organization_id = $3",
        agent_id,
        codec.encode(list(file_ids)),
        tx.actor.organization_id,
    )


async def touch(tx: Tx, agent_id: str, file_ids: Sequence[str], *, at: datetime) -> None:
    """Note that the agent has come upon these files just now (F19, F21)."""
    await tx.execute(
        "UPDATE agents_files SET last_accessed_at = $1"
        f" WHERE agent_id = $2 AND file_id {among(tx, '$3')} AND organization_id = $4",
        to_micros(at),
        agent_id,
        codec.encode(list(file_ids)),
        tx.actor.organization_id,
    )


async def remove(tx: Tx, agent_id: str, folder_id: str) -> None:
    """Take the files of a folder off the agent."""
    await tx.execute(
        "DELETE FROM agents_files WHERE agent_id = $1 AND organization_id = $3 AND file_id IN"
        " (SELECT id FROM files WHERE folder_id = $2)",
        agent_id,
        folder_id,
        tx.actor.organization_id,
    )


async def page(tx: Tx, agent_id: str, page: Page, *, is_open: bool | None) -> list[FileBlock]:
    """Return a page of the agent's files in at most two statements."""
    where = _of(tx, agent_id)
    if is_open is not None:
        where.add("agents_files.is_open = {}", int(is_open))
    return await own.page(tx, _BLOCKS, where, page)


async def open_of(tx: Tx, agent_id: str) -> list[FileBlock]:
    return await _found(tx, _of(tx, agent_id).add("agents_files.is_open = {}", 1))


async def named(tx: Tx, agent_id: str, names: Sequence[str]) -> list[FileBlock]:
    """Return the agent's files with these names, each `<folder>/<file>` or the last part alone."""
    place = codec.encode(list(names))
    where = _of(tx, agent_id)
    asked = among(tx, where.bound(place))
    where.clauses.append(f"({_NAME} {asked} OR files.name {asked})")
    return await _found(tx, where)


async def one(tx: Tx, agent_id: str, file_id: str) -> FileBlock | None:
    found = await _found(tx, _of(tx, agent_id).add("agents_files.file_id = {}", file_id))
    return found[0] if found else None


async def every(tx: Tx, agent_id: str) -> tuple[FileBlock, ...]:
    """Return all the agent's files by name, without what is seen of them."""
    columns = _BLOCKS.columns.replace("agents_files.visible", "NULL")
    return _by_name(await _found(tx, _of(tx, agent_id), columns=columns))


async def directories(tx: Tx, agent_id: str) -> tuple[Directory, ...]:
    """Return the agent's folders as its prompt shows them, in the order they were attached.

    The same folders and open files give the same value, whoever looked at what and when.
    """
    asked = await related.of_all(tx, [agent_id], folders=folders.OF_AGENT, files=OF_AGENT)
    held: tuple[Folder, ...] = asked[agent_id]["folders"]
    files: tuple[FileBlock, ...] = asked[agent_id]["files"]
    counts: Counter[str] = Counter(one.folder_id for one in files)
    unlisted = await _counts(tx, agent_id) if len(files) == MOST_LISTED else counts
    return tuple(
        Directory(
            name=folder.name,
            description=folder.description,
            instructions=folder.instructions,
            files=tuple(one for one in files if one.folder_id == folder.id),
            unlisted=unlisted[folder.id] - counts[folder.id],
        )
        for folder in held
    )


async def _counts(tx: Tx, agent_id: str) -> Counter[str]:
    where = _of(tx, agent_id)
    rows = await tx.fetch(
        f"SELECT files.folder_id, COUNT(*) FROM agents_files {_BLOCKS.joined} WHERE {where.sql}"
        " GROUP BY files.folder_id",
        *where.args,
    )
    return Counter({row[0]: row[1] for row in rows})


def _of(tx: Tx, agent_id: str) -> Where:
    return of_organization(tx, "agents_files").linked("agents_files.agent_id = {}", agent_id)


async def _found(tx: Tx, where: Where, *, columns: str = _BLOCKS.columns) -> list[FileBlock]:
    rows = await tx.fetch(
        f"SELECT {columns} FROM agents_files {_BLOCKS.joined} WHERE {where.sql} ORDER BY {_ORDER}",
        *where.args,
    )
    return [_BLOCKS.read(tx, row) for row in rows]


def _by_name(found: Sequence[FileBlock]) -> tuple[FileBlock, ...]:
    return tuple(sorted(found, key=lambda block: block.name))


OF_AGENT: Final = related.rows_of(
    _BLOCKS.columns,
    f"agents_files {_BLOCKS.joined} WHERE agents_files.id IN (SELECT id FROM agents_files"
    f" WHERE agent_id = item.value AND {unindexed('organization_id')} = $2"
    f" ORDER BY {_ORDER} LIMIT {MOST_LISTED})",
    order="agents_files.id",
    read=_BLOCKS.read,
).then(_by_name)
"""An agent's files by name, as far as a prompt names them."""
