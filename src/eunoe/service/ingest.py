"""Files on their way from an upload to passages that are found (api 15.9).

The rows say how far a file is: a part of the upload, a page of its text, a passage or a vector
that is committed is never made again by whoever goes on. Each owner raises the file's fence,
and none but the last can commit (G-1).
"""

import asyncio
import codecs
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from eunoe import ids, telemetry
from eunoe.domain.chunks import CHARS_PER_TOKEN, chunks
from eunoe.domain.file_pages import Paginator, TextPage, lines_of
from eunoe.domain.file_types import Cut, cut, reading
from eunoe.domain.files import MAX_FILE_BYTES, File
from eunoe.domain.folders import Folder, partition
from eunoe.domain.passages import Passage
from eunoe.engine.ports import Embedder
from eunoe.errors import (
    EmbeddingUnknown,
    FileTaken,
    FileUnreadable,
    ModelCreditExhausted,
    ModelError,
    ModelKeyRefused,
    ModelReplyInvalid,
    ModelRequestRefused,
)
from eunoe.runs import files as opening
from eunoe.runs.jobs import Duty
from eunoe.runs.ports import Models, Providers
from eunoe.store import agents, file_texts, files, folders, passages, search
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.files import Claimed
from eunoe.tools.child import child, finish, reason, send

DUTY: Final = "file"
PARSE_S: Final = 120.0
_MOST_OWNERS: Final = 10
_FINAL: Final = (ModelCreditExhausted, ModelKeyRefused, ModelReplyInvalid, ModelRequestRefused)
"""Failures of an embedder that do not pass by waiting."""
_READ_BYTES: Final = 256 * 1024
_PAGES_AT_ONCE: Final = 4
_FEWEST_CHARS: Final = 200

_log = structlog.get_logger("eunoe.ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Carries files through, some at a time; the duty is to be undertaken by the runner."""

    db: Database
    models: Providers

    def duty(self) -> Duty:
        return Duty(name=DUTY, carry_out=self.carry_out, pending=self.left, at_once=4)

    async def left(self) -> list[str]:
        async with self.db.read(Actor()) as tx:
            return await files.left(tx)

    async def carry_out(self, file_id: str) -> None:
        """Bring a file to its end, or raise what is worth another try."""
        async with self.db.write(Actor()) as tx:
            claimed = await files.claim(tx, file_id)
        if claimed is None:
            return
        actor = Actor(organization_id=claimed.organization_id)
        work = _Work(
            db=self.db, actor=actor, models=self.models.of(claimed.organization_id), claimed=claimed
        )
        try:
            await work.done()
        except FileTaken:
            _log.warning("file.taken", file_id=file_id)


@dataclass(slots=True, kw_only=True)
class _Work:
    """One file while this process owns it."""

    db: Database
    actor: Actor
    models: Models
    claimed: Claimed

    @property
    def file(self) -> File:
        return self.claimed.file

    async def done(self) -> None:
        try:
            folder = await self._folder()
            if self.file.status == "parsing":
                await self._read(folder)
            await self._embed(folder)
        except FileUnreadable as error:
            await self._failed(str(error))
        except EmbeddingUnknown as error:
            await self._failed(f"The text could not be embedded: {error}")

    async def _folder(self) -> Folder:
        """Return where the file is; raise for one that was begun too often, or is gone."""
        if self.claimed.fence > _MOST_OWNERS:
            raise FileUnreadable("The work on the file was begun too often; upload it again.")
        async with self.db.read(self.actor) as tx:
            folder = await folders.get(tx, self.file.folder_id)
        if folder is None:
            raise FileTaken
        return folder

    async def _failed(self, why: str) -> None:
        async with self.db.write(self.actor) as tx:
            await self._advance(tx, replace(self.file, status="error", error=why))
            await file_texts.drop_parts(tx, self.file.id)

    async def _advance(self, tx: Tx, changed: File) -> None:
        """Store how far the file has come; whoever is not its owner any more is stopped here."""
        await files.advance(tx, changed, fence=self.claimed.fence)
        self.claimed = replace(self.claimed, file=changed)

    # From an upload to text and passages

    async def _read(self, folder: Folder) -> None:
        """Get the text out, store it, cut it, and open it for the agents that have the folder."""
        if self.file.size > MAX_FILE_BYTES:
            raise FileUnreadable("The file has more than 50 MiB; upload it in parts.")
        try:
            async with asyncio.timeout(PARSE_S):
                await self._paged(folder)
        except TimeoutError as error:
            raise FileUnreadable("To read the file takes too long.") from error
        telemetry.measure("hist_file_process_bytes", self.file.size)

    async def _paged(self, folder: Folder) -> None:
        """Store the text in pages as it comes, and what is cut out of them, still without vectors.

        What an owner before stored goes with the first of them, so that a short text, which has
        no more, costs one transaction.
        """
        size = max(_FEWEST_CHARS, folder.embedding.chunk_size * CHARS_PER_TOKEN)
        paginator, position, total = Paginator(), 0, 0
        async for pages, is_last in self._stretches(paginator):
            texts = await asyncio.to_thread(_cut_up, pages, by=cut(self.file.type), size=size)
            total += len(texts)
            # Once: to change a row again that others wait for is a deadlock on PostgreSQL.
            done = self._read_as(paginator, total) if is_last else self.file
            async with self.db.write(self.actor) as tx:
                await self._advance(tx, done)
                if not position:
                    await file_texts.drop_pages(tx, self.file.id)
                    await passages.delete_of_file(tx, self.file.id)
                await file_texts.add_pages(tx, self.file.id, pages, position=position)
                await passages.insert(tx, [self._passage(folder, text) for text in texts])
                if is_last:
                    await file_texts.drop_parts(tx, self.file.id)
                    await self._opened(tx)
            position += len(pages)

    def _read_as(self, paginator: Paginator, total: int) -> File:
        lines = paginator.line_count
        return replace(
            self.file, status="embedding", line_count=lines, total_chunks=total, chunks_embedded=0
        )

    async def _stretches(self, paginator: Paginator) -> AsyncIterator[tuple[list[TextPage], bool]]:
        """Yield the pages of the text, some at a time, and whether they are the last."""
        held: list[TextPage] = []
        async for text in self._text():
            held += paginator.take(text)
            while len(held) > _PAGES_AT_ONCE:
                yield held[:_PAGES_AT_ONCE], False
                held = held[_PAGES_AT_ONCE:]
        held += paginator.last()
        if not held:
            raise FileUnreadable("There is no text in the file.")
        yield held, True

    async def _text(self) -> AsyncIterator[str]:
        """Yield the text of the upload: as it is, or read by a process that may break without harm.

        Bytes that are UTF-8, and no document, are taken here; there is nothing in them to break.
        """
        if (plain := await self._plain()) is not None:
            yield plain
            return
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        async with child("parse_child.py", reading(self.file.type)) as process:
            assert process.stdout is not None  # noqa: S101 -- it was opened as a pipe
            position = 0
            while (data := await self._part(position)) is not None:
                if not await send(process, data):
                    break
                position += 1
            finish(process)
            while data := await process.stdout.read(_READ_BYTES):
                yield decoder.decode(data)
            if (why := await reason(process)) is not None:
                raise FileUnreadable(why)

    async def _plain(self) -> str | None:
        """Return the text of an upload of one part that is one already, null for any other."""
        if reading(self.file.type) != "text" or await self._part(1) is not None:
            return None
        data = await self._part(0) or b""
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None

    async def _part(self, position: int) -> bytes | None:
        async with self.db.read(self.actor) as tx:
            return await file_texts.part(tx, self.file.id, position)

    def _passage(self, folder: Folder, text: str) -> Passage:
        return Passage(
            id=ids.new("passage"),
            archive_id=partition(folder.id),
            file_id=self.file.id,
            text=text,
            created_at=datetime.now(UTC),
        )

    async def _opened(self, tx: Tx) -> None:
        """Open the file for all agents that have its folder, before its vectors are there."""
        found = await agents.many(tx, await folders.agents_of(tx, self.file.folder_id))
        for agent_id in sorted(found):
            await opening.arrive(tx, found[agent_id], [self.file], at=datetime.now(UTC))

    # From passages to vectors

    async def _embed(self, folder: Folder) -> None:
        """Give the passages vectors, batch by batch, each with the count of those that have one."""
        embedder = self.models.embedder_for(folder.embedding)
        batch = folder.embedding.batch_size or 1
        while self.file.status != "completed":
            async with self.db.read(self.actor) as tx:
                rows = await search.unembedded_of_file(tx, self.file.id, limit=batch)
            vectors = await self._vectors(embedder, [text for _, text in rows])
            done = (self.file.chunks_embedded or 0) + len(rows)
            status = self.file.status if len(rows) == batch else "completed"
            async with self.db.write(self.actor) as tx:
                await self._advance(tx, replace(self.file, status=status, chunks_embedded=done))
                pairs = [(seq, vector) for (seq, _), vector in zip(rows, vectors, strict=True)]
                await search.index_passage_vectors(tx, folder.embedding.handle, pairs)

    async def _vectors(self, embedder: Embedder, texts: list[str]) -> Sequence[Sequence[float]]:
        try:
            return await embedder.embed(texts, purpose="store") if texts else []
        except ModelError as error:
            if not isinstance(error, _FINAL) and self.claimed.fence < _MOST_OWNERS:
                raise
            raise FileUnreadable(f"The text could not be embedded: {error}") from error


def _cut_up(pages: Sequence[TextPage], *, by: Cut, size: int) -> list[str]:
    """Return a stretch of the text in chunks; none goes past its end, so memory is bounded."""
    return list(chunks(lines_of(iter(pages)), by=by, size=size))
