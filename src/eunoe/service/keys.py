"""Keys to the server: made, shown once, recognised by their digest, revoked."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from eunoe import ids
from eunoe.domain.keys import Key, Scope
from eunoe.domain.users import User
from eunoe.errors import Invalid
from eunoe.ids import DEFAULT_ORGANIZATION, DEFAULT_USER
from eunoe.service.access_tokens import digest_of
from eunoe.store import agents, keys, users
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import all_there, there

PREFIX: Final = "eunoe-sk-"
"""What every key begins with, so that one is told from a password, and found where it leaked."""

NOTED_EVERY: Final = timedelta(minutes=1)
_BYTES: Final = 32


async def create(
    db: Database,
    *,
    name: str,
    scope: Scope,
    agent_ids: Sequence[str] = (),
    organization_id: str | None = None,
    user_id: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, Key]:
    """Return a new key, whose text is not kept, and what is kept of it.

    It is the given user's; of an organization alone, that of a user made for it; else the
    default user's. Raises `Missing` for what is not there, `Invalid` for what cannot be.
    """
    now = datetime.now(UTC)
    if expires_at is not None and expires_at <= now:
        raise Invalid("`expires_at` has passed; send a time to come.")
    if scope == "admin" and agent_ids:
        raise Invalid("A key with the scope admin is for all agents; choose a lesser scope.")
    text = PREFIX + secrets.token_urlsafe(_BYTES)
    async with db.read(Actor()) as tx:
        holder = await _holder(tx, name=name, organization_id=organization_id, user_id=user_id)
    made = Key(
        id=ids.new("key"),
        organization_id=holder.organization_id,
        user_id=holder.id,
        name=name,
        scope=scope,
        agent_ids=tuple(dict.fromkeys(agent_ids)),
        expires_at=expires_at,
        created_at=now,
    )
    async with db.write(actor_of(made)) as tx:
        all_there(await agents.many(tx, made.agent_ids), made.agent_ids, "agents")
        if await users.get(tx, holder.id) is None:
            await users.insert(tx, holder)
        await keys.insert(tx, made, digest=digest_of(text))
    return text, made


async def create_first(db: Database) -> str | None:
    """Return the text of a new key that administers this server; null where there is one."""
    async with db.read(Actor()) as tx:
        if await keys.has_admin(tx, at=datetime.now(UTC)):
            return None
    text, _ = await create(db, name="first", scope="admin")
    return text


async def recognised(db: Database, text: str) -> Key | None:
    """Return what is kept of a key; null for one that is unknown, revoked or expired."""
    async with db.read(Actor()) as tx:
        return await keys.by_digest(tx, digest_of(text), at=datetime.now(UTC))


async def note_used(db: Database, key: Key) -> None:
    """Keep when a key was used, to the minute, in a transaction of its own."""
    now = datetime.now(UTC)
    since = now - NOTED_EVERY
    if key.last_used_at is None or key.last_used_at < since:
        async with db.write(Actor()) as tx:
            await keys.note_used(tx, key.id, at=now, unless_since=since)


async def agent_of(db: Database, key: Key, thing_id: str) -> str | None:
    """Return whose conversation or run it is, of the organization of the key."""
    async with db.read(actor_of(key)) as tx:
        noun = "run" if ids.is_id("run", thing_id) else "conversation"
        return await keys.agent_of(tx, noun, thing_id)


async def revoke(db: Database, key_id: str) -> None:
    """Remove a key; raise `Missing` for an unknown one."""
    async with db.write(Actor()) as tx:
        there(await keys.delete(tx, key_id), "key", key_id[:80])


def actor_of(key: Key) -> Actor:
    """Return who acts with a key."""
    return Actor(
        organization_id=key.organization_id,
        user_id=key.user_id,
        sees_secrets=key.sees_secrets,
        key_id=key.id,
    )


async def _holder(tx: Tx, *, name: str, organization_id: str | None, user_id: str | None) -> User:
    """Return whose key it will be: who is named, or somebody new of the organization that is."""
    if user_id is None and organization_id not in {None, DEFAULT_ORGANIZATION}:
        found = await users.get_organization(tx, str(organization_id))
        organization = there(found, "organization", str(organization_id)[:80])
        return User(
            id=ids.new("user"),
            organization_id=organization.id,
            name=name,
            created_at=datetime.now(UTC),
        )
    found = there(await users.get(tx, user_id or DEFAULT_USER), "user", str(user_id)[:80])
    if organization_id not in {None, found.organization_id}:
        raise Invalid("The user is not of that organization.")
    return found
