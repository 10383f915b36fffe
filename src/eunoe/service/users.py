"""Users and organizations: made, renamed, removed by whoever administers the server (api 26)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from eunoe import ids
from eunoe.domain.tools import Tool
from eunoe.domain.users import Organization, User
from eunoe.errors import DefaultStays, Missing, OrganizationOwns
from eunoe.ids import DEFAULT_ORGANIZATION, DEFAULT_USER
from eunoe.store import audit, budgets, tools, users
from eunoe.store.db import Actor, Database, ReferenceMissing, Tx
from eunoe.store.own import there
from eunoe.tools.catalog import builtin_tools

_SERVER: Final = Actor()


async def create(db: Database, *, name: str, organization_id: str, by: Actor = _SERVER) -> User:
    """Make a user; raise `Missing` for an unknown organization."""
    user = User(
        id=ids.new("user"), organization_id=organization_id, name=name, created_at=datetime.now(UTC)
    )
    try:
        async with db.write(Actor()) as tx:
            await users.insert(tx, user)
            await audit.note(tx, "user.create", user.id, by=by)
    except ReferenceMissing as error:
        raise Missing(f"There is no organization {organization_id[:80]}.") from error
    return user


async def rename(db: Database, user_id: str, name: str | None, *, by: Actor = _SERVER) -> User:
    """Give a user another name; null changes nothing."""
    async with db.write(Actor()) as tx:
        user = await _user(tx, user_id)
        if name is None:
            return user
        await users.rename(tx, user_id, name)
        await audit.note(tx, "user.update", user_id, by=by)
    return replace(user, name=name)


async def delete(db: Database, user_id: str, *, by: Actor = _SERVER) -> User:
    """Remove a user, whose things are the organization's and stay; raise `DefaultStays`."""
    if user_id == DEFAULT_USER:
        raise DefaultStays
    async with db.write(Actor()) as tx:
        user = await _user(tx, user_id)
        await users.delete(tx, user_id)
        await audit.note(tx, "user.delete", user_id, by=by)
    return user


async def create_organization(db: Database, *, name: str, by: Actor = _SERVER) -> Organization:
    """Make an organization, with the tools that come with the server."""
    made = Organization(id=ids.new("organization"), name=name, created_at=datetime.now(UTC))
    async with db.write(Actor(organization_id=made.id)) as tx:
        await users.insert_organization(tx, made)
        await audit.note(tx, "organization.create", made.id, by=by)
        await tools.seed(tx, builtin_tools())
    return made


async def equip(db: Database, extra: Sequence[Tool]) -> None:
    """Give every organization the tools of this version, and the default one `extra` besides."""
    async with db.read(Actor()) as tx:
        found = await users.organization_ids(tx)
    for organization_id in found:
        more = extra if organization_id == DEFAULT_ORGANIZATION else ()
        async with db.write(Actor(organization_id=organization_id)) as tx:
            await tools.seed(tx, (*builtin_tools(), *more))


async def rename_organization(
    db: Database, organization_id: str, name: str | None, *, by: Actor = _SERVER
) -> Organization:
    """Give an organization another name; null changes nothing."""
    async with db.write(Actor()) as tx:
        found = await _organization(tx, organization_id)
        if name is None:
            return found
        await users.rename_organization(tx, organization_id, name)
        await audit.note(tx, "organization.update", organization_id, by=by)
    return replace(found, name=name)


async def delete_organization(
    db: Database, organization_id: str, *, by: Actor = _SERVER
) -> Organization:
    """Remove an organization that owns nothing, with its budgets.

    Raises `DefaultStays` or `OrganizationOwns`.
    """
    if organization_id == DEFAULT_ORGANIZATION:
        raise DefaultStays
    async with db.write(Actor(organization_id=organization_id)) as tx:
        found = await _organization(tx, organization_id)
        await tools.unseed(tx, builtin_tools())
        await budgets.clear(tx)
        table = await users.first_table_of(tx, organization_id)
        if table is not None:
            raise OrganizationOwns(table=table)
        await users.delete_organization(tx, organization_id)
        await audit.note(tx, "organization.delete", organization_id, by=by)
    return found


async def _user(tx: Tx, user_id: str) -> User:
    return there(await users.get(tx, user_id), "user", user_id[:80])


async def _organization(tx: Tx, organization_id: str) -> Organization:
    found = await users.get_organization(tx, organization_id)
    return there(found, "organization", organization_id[:80])
