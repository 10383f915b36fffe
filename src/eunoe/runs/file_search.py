"""Looking into the files of an agent: by an expression in a process of its own, and by meaning."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from eunoe.domain.agents import Agent
from eunoe.domain.files import MAX_FILE_BYTES, FileBlock
from eunoe.domain.folders import Folder, partition
from eunoe.domain.recall import PassageQuery, QueryVector
from eunoe.errors import EmbeddingUnknown, ToolArgumentsInvalid
from eunoe.runs.ports import Models
from eunoe.store import file_blocks, file_texts, folders, related, search
from eunoe.store.db import Actor, Database
from eunoe.tools.child import child, finish, reason, send
from eunoe.tools.files import MATCHES_A_PAGE, FilePassage, GrepMatch, Grepped, GrepQuery
from eunoe.tools.recall import vector_of

GREP_S: Final = 30.0
_MOST_MATCHES: Final = 1_000
_MOST_BYTES: Final = 200 * 1024 * 1024
_PAGES_AT_ONCE: Final = 16
_SENT_AT_ONCE: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFiles:
    """The files of one agent, as `tools.files` asks for them."""

    db: Database
    actor: Actor
    agent: Agent
    models: Models

    async def grep(self, query: GrepQuery) -> Grepped:
        """Search every file; raise `ToolArgumentsInvalid` for what cannot be searched for (F18).

        The process that searches is killed when its time is over, whatever it does (FIX-60).
        """
        async with self.db.read(self.actor) as tx:
            held = await file_blocks.every(tx, self.agent.id)
        if not held:
            return Grepped(matches=(), counts={}, total=0, searched=0)
        try:
            async with asyncio.timeout(GREP_S):
                found = await self._grepped(query, held)
        except TimeoutError as error:
            raise ToolArgumentsInvalid(
                f"The search took longer than {GREP_S:g} seconds; use a simpler `pattern` or "
                "narrow it with `include`."
            ) from error
        names = set(found.counts)
        await self._touch([one.file_id for one in held if one.name in names])
        return found

    async def _grepped(self, query: GrepQuery, held: Sequence[FileBlock]) -> Grepped:
        asked = {
            "pattern": query.pattern,
            "include": query.include,
            "names": [one.name for one in held],
            "context": query.context_lines,
            "offset": query.offset,
            "page": MATCHES_A_PAGE,
            "most": _MOST_MATCHES,
        }
        async with child("grep_child.py") as process:
            assert process.stdout is not None  # noqa: S101 -- it was opened as a pipe
            await send(process, json.dumps(asked).encode() + b"\n")
            wanted = await process.stdout.readline()
            if not wanted:
                raise ToolArgumentsInvalid(await reason(process) or "The search failed.")
            chosen: list[int] = json.loads(wanted)
            feeding = asyncio.create_task(self._feed(process, held, chosen))
            try:
                said = await process.stdout.read()
                skipped = await feeding
            finally:
                feeding.cancel()
                with suppress(asyncio.CancelledError):
                    await feeding
            if (why := await reason(process)) is not None:
                raise ToolArgumentsInvalid(f"The search failed: {why}")
        return _found(json.loads(said), held, searched=len(chosen) - skipped, skipped=skipped)

    async def _feed(
        self, process: asyncio.subprocess.Process, files: Sequence[FileBlock], chosen: Sequence[int]
    ) -> int:
        """Give the process the texts it chose; return how many were too large to give."""
        skipped = sent = 0
        held: list[bytes] = []
        for at in chosen:
            if sent > _MOST_BYTES:
                skipped += 1
                continue
            size = 0
            async for head, data in self._blocks(at, files[at].file_id):
                size += len(data)
                held += head, data
                if sum(map(len, held)) > _SENT_AT_ONCE:
                    if not await send(process, b"".join(held)):
                        return skipped
                    held = []
            sent += size
            skipped += size > MAX_FILE_BYTES
        await send(process, b"".join(held))
        finish(process)
        return skipped

    async def _blocks(self, at: int, file_id: str) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yield a text as the process reads it; of one that is too large no more than that."""
        head, position, size = json.dumps({"file": at}).encode() + b"\n", 0, 0
        while size <= MAX_FILE_BYTES:
            async with self.db.read(self.actor) as tx:
                pages = await file_texts.pages(tx, file_id, position=position, limit=_PAGES_AT_ONCE)
            data = "".join(page.text for page in pages).encode()
            yield head + json.dumps({"size": len(data)}).encode() + b"\n", data
            if len(pages) < _PAGES_AT_ONCE:
                return
            head, position, size = b"", position + len(pages), size + len(data)

    async def search(self, query: str, *, limit: int) -> list[FilePassage]:
        """Return the passages that fit best in all the agent's folders, grouped by nothing yet."""
        async with self.db.read(self.actor) as tx:
            held = await related.of_one(tx, self.agent.id, folders.OF_AGENT)
        asked = [
            (
                PassageQuery(text=query, archive_id=partition(folder.id), limit=limit),
                await self._vector(query, folder),
            )
            for folder in held
        ]
        async with self.db.read(self.actor, long=True) as tx:
            hits = await search.find_across(tx, asked, limit=limit)
        if not hits:
            return []
        async with self.db.read(self.actor) as tx:
            names = {one.file_id: one.name for one in await file_blocks.every(tx, self.agent.id)}
        found = [
            (file_id, hit.passage.text)
            for hit in hits
            if (file_id := hit.passage.file_id) is not None and file_id in names
        ]
        await self._touch(list({file_id for file_id, _ in found}))
        return [FilePassage(name=names[file_id], text=text) for file_id, text in found]

    async def _vector(self, query: str, folder: Folder) -> QueryVector | None:
        try:
            embedder = self.models.embedder_for(folder.embedding)
        except EmbeddingUnknown:
            return None
        values = await vector_of(query, embedder=embedder, purpose="search")
        if values is None:
            return None
        return QueryVector(embedder=folder.embedding.handle, values=values)

    async def _touch(self, file_ids: Sequence[str]) -> None:
        if file_ids:
            async with self.db.write(self.actor) as tx:
                await file_blocks.touch(tx, self.agent.id, file_ids, at=datetime.now(UTC))


def _found(
    said: dict[str, Any], held: Sequence[FileBlock], *, searched: int, skipped: int
) -> Grepped:
    names: list[str] = [one.name for one in held]
    return Grepped(
        matches=tuple(
            GrepMatch(
                name=names[int(one["file"])],
                line=one["line"],
                lines=tuple((number, line) for number, line in one["lines"]),
            )
            for one in said["matches"]
        ),
        counts={names[int(at)]: count for at, count in said["counts"]},
        total=said["total"],
        searched=searched,
        skipped=skipped,
        is_cut=said["total"] >= _MOST_MATCHES,
    )
