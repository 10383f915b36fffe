"""Queries on archives, where passages are kept, and which agent has which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.passages import Archive
from eunoe.errors import ArchiveAttached
from eunoe.store import codec, own
from eunoe.store.db import Tx, among, now_micros, optional_micros, unindexed
from eunoe.store.mapping import CHANGED, OBJECT, json, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_ARCHIVES: Final = mapped(
    Archive,
    "archives",
    noun="archive",
    kept={**CHANGED, "embedding": json(codec.embedding_config), "metadata": OBJECT},
    unknown_cursor="missing",
)
_NO_FOLDERS: Final = " AND folder_id IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFilter:
    """What is asked of a list of archives (api 14.1); null asks for nothing."""

    name: str | None = None
    agent_id: str | None = None


async def insert(tx: Tx, archive: Archive) -> None:
    changed = optional_micros(archive.updated_at or archive.created_at)
    await own.insert(tx, _ARCHIVES, archive, updated_at=changed)


async def get(tx: Tx, archive_id: str, *, held: bool = False) -> Archive | None:
    """Return an archive; `held` keeps others from changing it until the commit."""
    return await own.get(tx, _ARCHIVES, archive_id, held=held, also=_NO_FOLDERS)


async def update(tx: Tx, archive: Archive) -> bool:
    """Store the name, description, metadata and embedding; whether there is such an archive."""
    kept = ("created_by_id", "created_at")
    return await own.update(tx, _ARCHIVES, archive, but=kept, updated_at=now_micros())


async def delete(tx: Tx, archive_id: str) -> bool:
    """Remove an archive with its passages and attachments; whether there was one."""
    return await own.delete(tx, "archives", archive_id, also=_NO_FOLDERS)


async def list_archives(tx: Tx, where: ArchiveFilter, page: Page) -> list[Archive]:
    """Return a page of archives in at most two statements; raise `Missing` for its cursor."""
    asked = of_organization(tx, "archives").equal(name=where.name)
    asked.add("archives.folder_id IS NULL")
    asked.linked(
        "archives.id IN (SELECT archive_id FROM agents_archives WHERE agent_id = {})",
        where.agent_id,
    )
    return await own.page(tx, _ARCHIVES, asked, page)


async def attach(tx: Tx, agent_id: str, archive_id: str) -> bool:
    """Give the agent the archive; false where it has it already, or either is unknown.

    Raises `ArchiveAttached` where it has another one (api 6.70).
    """
    added = await tx.execute(
        "INSERT INTO agents_archives (agent_id, archive_id)"
        " SELECT agents.id, archives.id FROM agents, archives"
        " WHERE agents.id = $1 AND archives.id = $2"
        " AND agents.organization_id = $3 AND archives.organization_id = $3"
        " ON CONFLICT DO NOTHING",
        agent_id,
        archive_id,
        tx.actor.organization_id,
    )
    if added:
        return True
    has = await attached(tx, agent_id)
    if has is not None and has.id != archive_id:
        raise ArchiveAttached(archive_id=has.id)
    return False


async def detach(tx: Tx, agent_id: str, archive_id: str) -> bool:
    """Take the archive from the agent; it stays stored. Whether the agent had it."""
    return await own.detach(tx, "archive", agent_id, archive_id)


async def attached(tx: Tx, agent_id: str) -> Archive | None:
    """Return the agent's archive, null where it has none."""
    return await own.first(
        tx,
        _ARCHIVES,
        "JOIN agents_archives ON agents_archives.archive_id = archives.id"
        f" WHERE agents_archives.agent_id = $1 AND {unindexed('archives.organization_id')} = $2",
        agent_id,
        tx.actor.organization_id,
    )


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> dict[str, Archive]:
    """Return the archive of each agent that has one, by the agent's id."""
    rows = await tx.fetch(
        f"SELECT {_ARCHIVES.columns}, agents_archives.agent_id FROM agents_archives"
        " JOIN archives ON archives.id = agents_archives.archive_id"
        f" WHERE agents_archives.agent_id {among(tx, '$1')}"
        f" AND {unindexed('archives.organization_id')} = $2",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    return {row[-1]: _ARCHIVES.read(tx, row) for row in rows}


async def of_agent(tx: Tx, agent: Agent) -> Archive:
    """Return the agent's archive; make it where it has none, named and embedded as the agent.

    Of two that make it at once, one keeps its own and both return that (api 14.4).
    """
    found = await attached(tx, agent.id)
    if found is not None:
        return found
    now = datetime.now(UTC)
    mine = Archive(
        id=ids.new("archive"),
        name=agent.name,
        embedding=agent.embedding,
        created_by_id=tx.actor.user_id,
        last_updated_by_id=tx.actor.user_id,
        created_at=now,
        updated_at=now,
    )
    await insert(tx, mine)
    kept = await tx.execute(
        "INSERT INTO agents_archives (agent_id, archive_id) VALUES ($1, $2)"
        " ON CONFLICT (agent_id) DO NOTHING",
        agent.id,
        mine.id,
    )
    if kept:
        return mine
    await delete(tx, mine.id)
    return await of_agent(tx, agent)
