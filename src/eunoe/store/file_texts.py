"""Queries on what is in a file: the upload in parts until it is read, then its text in pages."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from eunoe.domain.file_pages import TextPage
from eunoe.store.db import Tx

_PAGES_AT_ONCE: Final = 4


async def add_part(tx: Tx, file_id: str, position: int, data: bytes) -> None:
    await tx.execute(
        "INSERT INTO file_parts (file_id, position, data) VALUES ($1, $2, $3)",
        file_id,
        position,
        data,
    )


async def part(tx: Tx, file_id: str, position: int) -> bytes | None:
    """Return one part of the upload, null past the last."""
    found: bytes | None = await tx.fetch_value(
        "SELECT data FROM file_parts WHERE file_id = $1 AND position = $2", file_id, position
    )
    return found


async def drop_parts(tx: Tx, file_id: str) -> None:
    await tx.execute("DELETE FROM file_parts WHERE file_id = $1", file_id)


async def add_pages(tx: Tx, file_id: str, pages: Sequence[TextPage], *, position: int) -> None:
    """Store pages of the text, the first of which is at `position`."""
    await tx.execute_many(
        "INSERT INTO file_pages (file_id, position, first_line, is_inside, text)"
        " VALUES ($1, $2, $3, $4, $5)",
        [
            (file_id, at, page.first_line, int(page.is_inside), page.text)
            for at, page in enumerate(pages, position)
        ],
    )


async def drop_pages(tx: Tx, file_id: str) -> None:
    await tx.execute("DELETE FROM file_pages WHERE file_id = $1", file_id)


async def pages(tx: Tx, file_id: str, *, position: int, limit: int) -> list[TextPage]:
    """Return at most `limit` pages from `position` on."""
    rows = await tx.fetch(
        "SELECT first_line, is_inside, text FROM file_pages"
        " WHERE file_id = $1 AND position >= $2 ORDER BY position LIMIT $3",
        file_id,
        position,
        limit,
    )
    return [TextPage(first_line=row[0], is_inside=bool(row[1]), text=row[2]) for row in rows]


async def whole(tx: Tx, file_id: str) -> str:
    """Return the text of a file."""
    return "".join([page.text async for page in _from(tx, file_id, 0)])


async def lines(tx: Tx, file_id: str, *, start: int, end: int | None, most_chars: int) -> list[str]:
    """Return the lines from `start` to `end`, the breaks cut off, reading only their pages.

    Once they have more than `most_chars` characters the rest is left out, so that the last
    line may be a part of one.
    """
    place: int | None = await tx.fetch_value(
        "SELECT position FROM file_pages WHERE file_id = $1"
        " AND (first_line < $2 OR (first_line = $2 AND is_inside = 0))"
        " ORDER BY position DESC LIMIT 1",
        file_id,
        start,
    )
    found: list[str] = []
    held, size = "", 0
    async for page in _from(tx, file_id, place or 0):
        pieces, number = page.text.split("\n"), page.first_line
        for at, piece in enumerate(pieces):
            if number >= start:
                held += piece
                size += len(piece)
            if at < len(pieces) - 1:
                if number >= start:
                    found.append(held)
                    held, size = "", size + 1
                number += 1
            if number == end or size > most_chars:
                return [*found, held] if held else found
    return [*found, held] if held else found


async def _from(tx: Tx, file_id: str, position: int) -> AsyncIterator[TextPage]:
    while read := await pages(tx, file_id, position=position, limit=_PAGES_AT_ONCE):
        for page in read:
            yield page
        position += len(read)
        if len(read) < _PAGES_AT_ONCE:
            return
