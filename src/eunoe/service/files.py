"""Files of folders and of agents: uploaded, looked at, opened, closed, removed (15.3 to 15.27)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, assert_never

from eunoe import ids
from eunoe.domain.file_types import file_type
from eunoe.domain.files import MAX_FILE_BYTES, Duplicates, File, FileBlock, numbered_name, safe_name
from eunoe.domain.folders import Folder
from eunoe.errors import FileExists, FileTypeUnsupported, Invalid, Missing
from eunoe.runs import files as opening
from eunoe.service import folders, states
from eunoe.store import file_blocks, file_texts, files
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.paging import Page

_MOST_TEXT: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as it arrives; `parts` yields its bytes, none of them large, once."""

    name: str
    content_type: str | None
    size: int
    parts: AsyncIterator[bytes]
    duplicates: Duplicates = "suffix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    folder: Folder
    file: File
    is_new: bool


async def upload(db: Database, actor: Actor, folder_id: str, sent: Upload) -> Uploaded:
    """Keep a file, whole or not at all; its text is got out of it later (15.4).

    Raises `FileTypeUnsupported`, `FileExists`, and `Invalid` for a name that cannot be.
    """
    name = safe_name(sent.name)
    if not name or name.startswith("."):
        raise Invalid("A file needs a name, and the name may not begin with a dot.")
    kind = file_type(sent.content_type, name)
    if kind is None:
        raise FileTypeUnsupported
    async with db.write(actor) as tx:
        folder = await folders.known(tx, folder_id, held=True)
        taken = await files.named(tx, folder_id, name)
        if taken and sent.duplicates == "skip":
            return Uploaded(folder=folder, file=taken[0], is_new=False)
        now = datetime.now(UTC)
        file = File(
            id=ids.new("file"),
            folder_id=folder_id,
            name=await _free_name(tx, folder_id, name, taken, sent.duplicates),
            original_name=name,
            type=kind,
            size=sent.size,
            created_at=now,
            updated_at=now,
        )
        await files.insert(tx, file)
        if sent.size <= MAX_FILE_BYTES:
            position = 0
            async for data in sent.parts:
                await file_texts.add_part(tx, file.id, position, data)
                position += 1
    return Uploaded(folder=folder, file=file, is_new=True)


async def _free_name(
    tx: Tx, folder_id: str, name: str, taken: list[File], duplicates: Duplicates
) -> str:
    """Return the name a file is kept under, making room for it where that is asked for."""
    match duplicates:
        case "error" if taken or await files.is_taken(tx, folder_id, name):
            raise FileExists
        case "replace":
            if taken:  # Others, kept beside it under names of their own, stay.
                await files.delete(tx, taken[0].id)
            taken = []
        case "skip" | "error" | "suffix":
            pass
        case _:
            assert_never(duplicates)
    number = len(taken)
    free = numbered_name(name, number) if number else name
    while await files.is_taken(tx, folder_id, free):
        number += 1
        free = numbered_name(name, number)
    return free


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A file of a folder, with its text where that was asked for."""

    file: File
    content: str | None = None


async def get(
    db: Database, actor: Actor, folder_id: str, file_id: str, *, with_content: bool
) -> Read:
    async with db.read(actor) as tx:
        file = await _known(tx, folder_id, file_id)
        return await _read(tx, file, with_content=with_content)


async def _read(tx: Tx, file: File, *, with_content: bool) -> Read:
    content = await file_texts.whole(tx, file.id) if with_content else None
    return Read(file=file, content=content or None)


async def page(tx: Tx, folder_id: str, page: Page, *, with_content: bool) -> list[Read]:
    """Return a page of a folder's files, with their texts where those are asked for.

    It ends early when the texts are many: who pages on meets the rest (api 5.3).
    """
    found = await files.list_files(tx, folder_id, page)
    backwards = page.before is not None and page.after is None
    shown: list[Read] = []
    room = _MOST_TEXT
    for file in reversed(found) if backwards else found:
        shown.append(await _read(tx, file, with_content=with_content))
        room -= len(shown[-1].content or "")
        if room < 0:
            break
    return shown[::-1] if backwards else shown


async def delete(db: Database, actor: Actor, folder_id: str, file_id: str) -> None:
    """Remove a file of this folder; raise `Missing` for one of another (15.12)."""
    async with db.write(actor) as tx:
        await _known(tx, folder_id, file_id)
        await files.delete(tx, file_id)


async def _known(tx: Tx, folder_id: str, file_id: str) -> File:
    file = await files.get(tx, file_id)
    if file is None or file.folder_id != folder_id:
        raise Missing(f"The folder {folder_id} has no file {file_id}.")
    return file


# On an agent


async def open_file(db: Database, actor: Actor, agent_id: str, file_id: str) -> list[str]:
    """Open a file of the agent; return the names of those closed for it (15.25)."""
    async with db.write(actor) as tx:
        agent = await states.known(tx, agent_id, held=True)
        block = await _block(tx, agent_id, file_id)
        return await opening.open_one(tx, agent, block, at=datetime.now(UTC))


async def close_file(db: Database, actor: Actor, agent_id: str, file_id: str) -> str:
    """Close a file of the agent and return its name; raise `Missing` (15.26)."""
    async with db.write(actor) as tx:
        await states.known(tx, agent_id, held=True)
        block = await _block(tx, agent_id, file_id)
        await file_blocks.close(tx, agent_id, [file_id])
        return block.name


async def close_all(db: Database, actor: Actor, agent_id: str) -> list[str]:
    """Close all files of the agent; return the names of those that were open (15.27)."""
    async with db.write(actor) as tx:
        await states.known(tx, agent_id, held=True)
        held = await file_blocks.open_of(tx, agent_id)
        await file_blocks.close(tx, agent_id, [one.file_id for one in held])
        return sorted(one.name for one in held)


async def _block(tx: Tx, agent_id: str, file_id: str) -> FileBlock:
    block = await file_blocks.one(tx, agent_id, file_id)
    if block is None:
        raise Missing(f"The agent {agent_id} has no file {file_id}.")
    return block
