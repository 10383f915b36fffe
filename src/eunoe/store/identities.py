"""Queries on identities: the row, and the agents and blocks that belong to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from eunoe.domain.identities import Identity, Property
from eunoe.errors import IdentityExists
from eunoe.store import codec, own
from eunoe.store.db import Tx, UniqueViolated, among, unindexed
from eunoe.store.mapping import CHANGED, NAME, Kept, json, mapped
from eunoe.store.paging import Page
from eunoe.store.related import rows_of
from eunoe.store.where import of_organization

Owned: TypeAlias = Literal["agent", "block"]
"""What can belong to an identity."""

_properties: Final = codec.Reader(tuple[Property, ...])
_IDENTITIES: Final = mapped(
    Identity,
    "identities",
    noun="identity",
    kept={
        "identifier_key": NAME,
        **CHANGED,
        # Null would make two of one key unlike each other in the unique index.
        "project_id": Kept(write=lambda one: one or "", read=lambda stored: stored or None),
        "properties": json(_properties.validate_json),
    },
    unknown_cursor="missing",
)
OF_AGENT: Final = rows_of(
    _IDENTITIES.columns,
    "agents_identities AS held JOIN identities ON identities.id = held.identity_id"
    f" WHERE held.agent_id = item.value AND {unindexed('identities.organization_id')} = $2",
    order="identities.created_at, identities.id",
    read=_IDENTITIES.read,
)
"""The identities that an agent belongs to, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFilter:
    """What is asked of a list of identities (api 21.6); null asks for nothing."""

    name: str | None = None
    identifier_key: str | None = None
    identity_type: str | None = None
    project_id: str | None = None


async def insert(tx: Tx, identity: Identity) -> None:
    """Store a new identity; raise `IdentityExists` where its project has one of its key."""
    try:
        await own.insert(tx, _IDENTITIES, identity)
    except UniqueViolated:
        raise IdentityExists from None


async def update(tx: Tx, identity: Identity) -> None:
    """Replace the row; raise `IdentityExists` where another has its key."""
    try:
        await own.update(tx, _IDENTITIES, identity)
    except UniqueViolated:
        raise IdentityExists from None


async def get(tx: Tx, identity_id: str, *, held: bool = False) -> Identity | None:
    """Return an identity; `held` keeps others from changing it until the commit."""
    return await own.get(tx, _IDENTITIES, identity_id, held=held)


async def by_key(tx: Tx, identifier_key: str, *, project_id: str | None) -> Identity | None:
    """Return the project's identity of this key, held until the commit."""
    return await own.first(
        tx,
        _IDENTITIES,
        "WHERE organization_id = $1 AND project_id = $2 AND identifier_key = $3"
        f"{own.lock(tx, 'identities', held=True)}",
        tx.actor.organization_id,
        project_id or "",
        identifier_key,
    )


async def absent(tx: Tx, identity_ids: Sequence[str]) -> list[str]:
    """Return those of these ids that name no identity of the organization."""
    if not identity_ids:
        return []
    rows = await tx.fetch(
        f"SELECT id FROM identities WHERE id {among(tx, '$1')}"
        f" AND {unindexed('organization_id')} = $2",
        codec.encode(list(identity_ids)),
        tx.actor.organization_id,
    )
    found = {row[0] for row in rows}
    return [one for one in identity_ids if one not in found]


async def list_identities(tx: Tx, asked: IdentityFilter, page: Page) -> list[Identity]:
    """Return a page of identities; an unknown cursor is `Missing` (api 5.6)."""
    where = of_organization(tx, "identities").equal(
        identifier_key=asked.identifier_key,
        identity_type=asked.identity_type,
        project_id=asked.project_id,
    )
    where.contains(name=asked.name)
    return await own.page(tx, _IDENTITIES, where, page)


async def count(tx: Tx) -> int:
    return await own.count(tx, of_organization(tx, "identities"), "identities")


async def delete(tx: Tx, identity_id: str) -> bool:
    """Remove an identity; its agents and blocks stay. Whether there was one."""
    return await own.delete(tx, "identities", identity_id)


# Who belongs to whom. Both sides were seen to be the organization's before these are called.


async def link(tx: Tx, what: Owned, *, ids: Sequence[str], identity_ids: Sequence[str]) -> None:
    """Let each of `ids` belong to each of the identities, as it may do already."""
    await tx.execute_many(
        f"INSERT INTO {what}s_identities ({what}_id, identity_id) VALUES ($1, $2)"
        " ON CONFLICT DO NOTHING",
        [(one, identity_id) for one in ids for identity_id in identity_ids],
    )


async def unlink(tx: Tx, what: Owned, one_id: str, identity_id: str) -> None:
    await tx.execute(
        f"DELETE FROM {what}s_identities WHERE {what}_id = $1 AND identity_id = $2",
        one_id,
        identity_id,
    )


async def unlink_agents(tx: Tx, identity_id: str) -> None:
    """Take all its agents off an identity."""
    await tx.execute("DELETE FROM agents_identities WHERE identity_id = $1", identity_id)


async def unlink_identities(tx: Tx, agent_id: str) -> None:
    """Take all its identities off an agent."""
    await tx.execute("DELETE FROM agents_identities WHERE agent_id = $1", agent_id)
