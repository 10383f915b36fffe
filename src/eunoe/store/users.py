"""Queries on users and organizations: not scoped to one, for they are what scopes are made of."""

from typing import Final

from eunoe.domain.users import Organization, User
from eunoe.ids import DEFAULT_USER
from eunoe.store import own
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.mapping import MADE, mapped
from eunoe.store.paging import Page
from eunoe.store.where import Where

_USERS: Final = mapped(
    User, "users", noun="user", kept=MADE, scoped=False, unknown_cursor="missing"
)
_ORGANIZATIONS: Final = mapped(
    Organization,
    "organizations",
    noun="organization",
    kept=MADE,
    scoped=False,
    unknown_cursor="missing",
)


async def acting(db: Database, user_id: str) -> Actor:
    """Return the actor that a user's id names; an unknown one is the default user (api 1.10)."""
    if user_id == DEFAULT_USER:
        return Actor()
    async with db.read(Actor()) as tx:
        user = await get(tx, user_id)
    if user is None:
        return Actor()
    return Actor(organization_id=user.organization_id, user_id=user_id)


async def list_users(tx: Tx, page: Page) -> list[User]:
    return await own.page(tx, _USERS, _all(tx), page)


async def get(tx: Tx, user_id: str) -> User | None:
    return await own.first(tx, _USERS, "WHERE id = $1", user_id)


async def insert(tx: Tx, user: User) -> None:
    """Store a new user; raise `ReferenceMissing` for an unknown organization."""
    await own.insert(tx, _USERS, user)


async def rename(tx: Tx, user_id: str, name: str) -> None:
    await tx.execute("UPDATE users SET name = $1 WHERE id = $2", name, user_id)


async def delete(tx: Tx, user_id: str) -> None:
    await tx.execute("DELETE FROM users WHERE id = $1", user_id)


async def list_organizations(tx: Tx, page: Page) -> list[Organization]:
    return await own.page(tx, _ORGANIZATIONS, _all(tx), page)


async def organization_ids(tx: Tx) -> list[str]:
    """Return the ids of all organizations, the oldest first."""
    rows = await tx.fetch("SELECT id FROM organizations ORDER BY created_at, id")
    return [row[0] for row in rows]


async def get_organization(tx: Tx, organization_id: str) -> Organization | None:
    return await own.first(tx, _ORGANIZATIONS, "WHERE id = $1", organization_id)


async def insert_organization(tx: Tx, organization: Organization) -> None:
    await own.insert(tx, _ORGANIZATIONS, organization)


async def rename_organization(tx: Tx, organization_id: str, name: str) -> None:
    await tx.execute("UPDATE organizations SET name = $1 WHERE id = $2", name, organization_id)


async def delete_organization(tx: Tx, organization_id: str) -> None:
    await tx.execute("DELETE FROM organizations WHERE id = $1", organization_id)


async def first_table_of(tx: Tx, organization_id: str) -> str | None:
    """Return a table that has a row of the organization, null where none has.

    The engine knows which tables there are to look at, so that none is forgotten. What was
    done in it is no thing of its own, and is remembered after its end.
    """
    for (table,) in await tx.fetch(_OWNING[tx.dialect]):
        if await tx.fetch_value(
            f"SELECT 1 FROM {table} WHERE organization_id = $1 LIMIT 1", organization_id
        ):
            found: str = table
            return found
    return None


_OWNING: Final = {
    "sqlite": (
        "SELECT tables.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
        " WHERE tables.type = 'table' AND columns.name = 'organization_id'"
        " AND tables.name <> 'audit_entries' ORDER BY tables.name"
    ),
    "postgresql": (
        "SELECT columns.table_name::text FROM information_schema.columns AS columns"
        " JOIN information_schema.tables AS tables ON tables.table_name = columns.table_name"
        " AND tables.table_schema = columns.table_schema WHERE columns.table_schema = 'public'"
        " AND columns.column_name = 'organization_id' AND tables.table_type = 'BASE TABLE'"
        " AND tables.table_name <> 'audit_entries'"
        " ORDER BY columns.table_name"
    ),
}


def _all(tx: Tx) -> Where:
    return Where(tx).add("1 = 1")
