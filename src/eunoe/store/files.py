"""Queries on files: the row, and who works on it."""

from dataclasses import dataclass
from typing import Final

from eunoe.domain.files import File
from eunoe.errors import FileTaken
from eunoe.store import own
from eunoe.store.db import Tx, now_micros
from eunoe.store.mapping import CHANGED, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_FILES: Final = mapped(File, "files", noun="file", kept=CHANGED, unknown_cursor="missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A file somebody has taken up; `fence` says the how manieth that was."""

    file: File
    fence: int
    organization_id: str


async def insert(tx: Tx, file: File) -> None:
    """Store a new file; its folder is held by the caller, so that its name is free."""
    by = tx.actor.user_id
    await own.insert(tx, _FILES, file, created_by_id=by, last_updated_by_id=by, fence=0, is_done=0)


async def get(tx: Tx, file_id: str) -> File | None:
    return await own.get(tx, _FILES, file_id)


async def named(tx: Tx, folder_id: str, original_name: str) -> list[File]:
    """Return the folder's files that were uploaded under a name, oldest first."""
    return await own.select(
        tx,
        _FILES,
        "WHERE folder_id = $1 AND original_name = $2 AND organization_id = $3"
        " ORDER BY created_at, id",
        folder_id,
        original_name,
        tx.actor.organization_id,
    )


async def is_taken(tx: Tx, folder_id: str, name: str) -> bool:
    return bool(
        await tx.fetch_value(
            "SELECT 1 FROM files WHERE folder_id = $1 AND name = $2 AND organization_id = $3",
            folder_id,
            name,
            tx.actor.organization_id,
        )
    )


async def list_files(tx: Tx, folder_id: str, page: Page) -> list[File]:
    """Return a page of a folder's files in at most two statements."""
    where = of_organization(tx, "files").linked("files.folder_id = {}", folder_id)
    return await own.page(tx, _FILES, where, page)


async def readable(tx: Tx, folder_id: str) -> list[File]:
    """Return the folder's files that have a text, oldest first."""
    return await own.select(
        tx,
        _FILES,
        "WHERE folder_id = $1 AND line_count IS NOT NULL AND organization_id = $2"
        " ORDER BY created_at, id",
        folder_id,
        tx.actor.organization_id,
    )


async def sizes(tx: Tx) -> list[tuple[str, str, str, int]]:
    """Return folder, id, name and size of every file of the organization."""
    rows = await tx.fetch(
        "SELECT folder_id, id, name, size FROM files WHERE organization_id = $1"
        " ORDER BY created_at, id",
        tx.actor.organization_id,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def delete(tx: Tx, file_id: str) -> bool:
    """Remove a file with its text, its passages and its place with agents; whether it was there."""
    return await own.delete(tx, "files", file_id)


# Work on a file, which belongs to the server and not to an actor until it is claimed


async def left(tx: Tx) -> list[str]:
    """Return the ids of the files of all organizations that are not done, oldest first."""
    rows = await tx.fetch("SELECT id FROM files WHERE is_done = 0 ORDER BY created_at, id")
    return [row[0] for row in rows]


async def claim(tx: Tx, file_id: str) -> Claimed | None:
    """Take a file up, so that whoever had it can commit no more; null for one that is done."""
    rows = await tx.fetch(
        "UPDATE files SET fence = fence + 1 WHERE id = $1 AND is_done = 0"
        f" RETURNING {_FILES.columns}, files.fence, files.organization_id",
        file_id,
    )
    if not rows:
        return None
    return Claimed(file=_FILES.read(tx, rows[0]), fence=rows[0][-2], organization_id=rows[0][-1])


async def advance(tx: Tx, file: File, *, fence: int) -> None:
    """Store how far a file has come; raise `FileTaken` where it is another's, or gone."""
    changed = await tx.execute(
        "UPDATE files SET status = $1, error = $2, total_chunks = $3, chunks_embedded = $4,"
        " line_count = $5, is_done = $6, updated_at = $7 WHERE id = $8 AND fence = $9",
        file.status,
        file.error,
        file.total_chunks,
        file.chunks_embedded,
        file.line_count,
        int(file.status in {"completed", "error"}),
        now_micros(),
        file.id,
        fence,
    )
    if not changed:
        raise FileTaken
