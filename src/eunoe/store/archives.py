"""Queries on archives, where passages are kept, and which agent has which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.passages import Archive
from eunoe.errors import ArchiveAttached
from eunoe.store import codec, own
from eunoe.store.db import (
    Row,
    Tx,
    among,
    from_micros,
    now_micros,
    optional_time,
    to_micros,
    unindexed,
)
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_PLAIN: Final = ("id", "name", "description", "created_by_id", "last_updated_by_id")
_FIELDS: Final = (*_PLAIN, "embedding_json", "metadata_json", "created_at", "updated_at")
_COLUMNS: Final = ", ".join(f"archives.{name}" for name in _FIELDS)
_INSERT: Final = own.inserting("archives", (*_FIELDS, "organization_id"))
_LISTING: Final = Listing(
    noun="archive", table="archives", columns=_COLUMNS, unknown_cursor="missing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFilter:
    """What is asked of a list of archives (api 14.1); null asks for nothing."""

    name: str | None = None
    agent_id: str | None = None


async def insert(tx: Tx, archive: Archive) -> None:
    await tx.execute(
        _INSERT,
        archive.id,
        archive.name,
        archive.description,
        archive.created_by_id,
        archive.last_updated_by_id,
        codec.optional_json(archive.embedding),
        codec.optional_json(archive.metadata),
        to_micros(archive.created_at),
        to_micros(archive.updated_at or archive.created_at),
        tx.actor.organization_id,
    )


async def get(tx: Tx, archive_id: str) -> Archive | None:
    row = await own.get(tx, _LISTING, archive_id, also=" AND folder_id IS NULL")
    return None if row is None else _read(row)


async def update(tx: Tx, archive: Archive) -> bool:
    """Store the name, description, metadata and embedding; whether there is such an archive."""
    return bool(
        await tx.execute(
            "UPDATE archives SET name = $1, description = $2, metadata_json = $3,"
            " embedding_json = $4, last_updated_by_id = $5, updated_at = $6"
            " WHERE id = $7 AND organization_id = $8",
            archive.name,
            archive.description,
            codec.optional_json(archive.metadata),
            codec.optional_json(archive.embedding),
            archive.last_updated_by_id,
            now_micros(),
            archive.id,
            tx.actor.organization_id,
        )
    )


async def delete(tx: Tx, archive_id: str) -> bool:
    """Remove an archive with its passages and attachments; whether there was one."""
    return await own.delete(tx, "archives", archive_id, also=" AND folder_id IS NULL")


async def list_archives(tx: Tx, where: ArchiveFilter, page: Page) -> list[Archive]:
    """Return a page of archives in at most two statements; raise `Missing` for its cursor."""
    asked = of_organization(tx, "archives").equal(name=where.name)
    asked.add("archives.folder_id IS NULL")
    asked.linked(
        "archives.id IN (SELECT archive_id FROM agents_archives WHERE agent_id = {})",
        where.agent_id,
    )
    return [_read(row) for row in await listing(tx, _LISTING, asked, page)]


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
    return bool(
        await tx.execute(
            "DELETE FROM agents_archives WHERE agent_id = $1 AND archive_id = $2"
            " AND (SELECT organization_id FROM agents WHERE id = $1) = $3",
            agent_id,
            archive_id,
            tx.actor.organization_id,
        )
    )


async def attached(tx: Tx, agent_id: str) -> Archive | None:
    """Return the agent's archive, null where it has none."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM agents_archives"
        " JOIN archives ON archives.id = agents_archives.archive_id"
        f" WHERE agents_archives.agent_id = $1 AND {unindexed('archives.organization_id')} = $2",
        agent_id,
        tx.actor.organization_id,
    )
    return None if row is None else _read(row)


async def of_agents(tx: Tx, agent_ids: Sequence[str]) -> dict[str, Archive]:
    """Return the archive of each agent that has one, by the agent's id."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS}, agents_archives.agent_id FROM agents_archives"
        " JOIN archives ON archives.id = agents_archives.archive_id"
        f" WHERE agents_archives.agent_id {among(tx, '$1')}"
        f" AND {unindexed('archives.organization_id')} = $2",
        codec.encode(list(agent_ids)),
        tx.actor.organization_id,
    )
    found = {row[-1]: _read(row) for row in rows}
    return {agent_id: found[agent_id] for agent_id in agent_ids if agent_id in found}


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


def _read(row: Row) -> Archive:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=False))
    return Archive(
        **{name: stored[name] for name in _PLAIN},
        embedding=codec.optional(codec.embedding_config, stored["embedding_json"]),
        metadata=codec.loads_object(stored["metadata_json"]),
        created_at=from_micros(stored["created_at"]),
        updated_at=optional_time(stored["updated_at"]),
    )
