"""Queries on folders, which agents have which, and the partition each is searched in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eunoe.domain.folders import Folder, partition
from eunoe.errors import FolderNameTaken
from eunoe.store import codec, own
from eunoe.store.db import Tx, UniqueViolated, to_micros, unindexed
from eunoe.store.mapping import CHANGED, NAME, OBJECT, json, mapped
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.related import rows_of
from eunoe.store.where import of_organization

_FOLDERS: Final = mapped(
    Folder,
    "folders",
    noun="folder",
    kept={"name": NAME, **CHANGED, "metadata": OBJECT, "embedding": json(codec.embedding_config)},
    unknown_cursor="missing",
)
OF_AGENT: Final = rows_of(
    _FOLDERS.columns,
    "agents_folders JOIN folders ON folders.id = agents_folders.folder_id"
    f" WHERE agents_folders.agent_id = item.value AND {unindexed('folders.organization_id')} = $2",
    order="agents_folders.position, folders.id",
    read=_FOLDERS.read,
)
"""An agent's folders in the order they were attached."""
_AGENTS: Final = Listing(noun="agent", table="agents", columns="agents.id")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFilter:
    """What is asked of a list of folders (15.2): `name` is part of the name; null is all."""

    name: str | None = None
    agent_id: str | None = None


async def insert(tx: Tx, folder: Folder) -> None:
    """Store a folder and its partition; raise `FolderNameTaken`."""
    try:
        await own.insert(tx, _FOLDERS, folder)
    except UniqueViolated as error:
        raise FolderNameTaken from error
    await tx.execute(
        "INSERT INTO archives (id, organization_id, name, embedding_json, folder_id, created_at,"
        " updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)",
        partition(folder.id),
        tx.actor.organization_id,
        folder.name,
        codec.encode(folder.embedding),
        folder.id,
        to_micros(folder.created_at),
    )


async def get(tx: Tx, folder_id: str, *, held: bool = False) -> Folder | None:
    """Return a folder; `held` keeps others from changing it until the commit."""
    return await own.get(tx, _FOLDERS, folder_id, held=held)


async def many(tx: Tx, folder_ids: Sequence[str]) -> dict[str, Folder]:
    """Return the folders with these ids, by id; unknown ids are left out."""
    return {folder.id: folder for folder in await own.many(tx, _FOLDERS, folder_ids)}


async def id_of(tx: Tx, name: str) -> str | None:
    found: str | None = await tx.fetch_value(
        "SELECT id FROM folders WHERE name = $1 AND organization_id = $2",
        name,
        tx.actor.organization_id,
    )
    return found


async def update(tx: Tx, folder: Folder) -> None:
    """Store a changed folder; raise `FolderNameTaken`."""
    try:
        await own.update(tx, _FOLDERS, folder)
    except UniqueViolated as error:
        raise FolderNameTaken from error
    await tx.execute(
        "UPDATE archives SET embedding_json = $1 WHERE folder_id = $2",
        codec.encode(folder.embedding),
        folder.id,
    )


async def delete(tx: Tx, folder_id: str) -> bool:
    """Remove a folder with its files, their passages and its links; whether there was one."""
    return await own.delete(tx, "folders", folder_id)


async def list_folders(tx: Tx, where: FolderFilter, page: Page) -> list[Folder]:
    """Return a page of folders in at most two statements; raise `Missing` for its cursor."""
    asked = of_organization(tx, "folders").contains(name=where.name)
    asked.linked(
        "folders.id IN (SELECT folder_id FROM agents_folders WHERE agent_id = {})", where.agent_id
    )
    return await own.page(tx, _FOLDERS, asked, page)


async def count(tx: Tx) -> int:
    return await own.count(tx, of_organization(tx, "folders"), "folders")


async def attach(tx: Tx, agent_id: str, folder_id: str) -> bool:
    """Give the agent the folder, after those it has; false where it has it already.

    Both are the caller's to look up first.
    """
    return bool(
        await tx.execute(
            "INSERT INTO agents_folders (agent_id, folder_id, position) SELECT $1, $2,"
            " COALESCE(MAX(position), 0) + 1 FROM agents_folders WHERE agent_id = $1"
            " ON CONFLICT (agent_id, folder_id) DO NOTHING",
            agent_id,
            folder_id,
        )
    )


async def detach(tx: Tx, agent_id: str, folder_id: str) -> bool:
    return bool(
        await tx.execute(
            "DELETE FROM agents_folders WHERE agent_id = $1 AND folder_id = $2", agent_id, folder_id
        )
    )


async def agents_page(tx: Tx, folder_id: str, page: Page) -> list[str]:
    """Return a page of the ids of the agents that have the folder, by when they were made."""
    asked = of_organization(tx, "agents").linked(
        "agents.id IN (SELECT agent_id FROM agents_folders WHERE folder_id = {})", folder_id
    )
    return [row[0] for row in await listing(tx, _AGENTS, asked, page)]


async def agents_of(tx: Tx, folder_id: str) -> list[str]:
    """Return the ids of the agents that have the folder."""
    rows = await tx.fetch(
        "SELECT agent_id FROM agents_folders WHERE folder_id = $1 ORDER BY agent_id", folder_id
    )
    return [row[0] for row in rows]
