"""Queries on keys, of which only a digest is stored: they say whose data is asked for."""

from datetime import datetime
from typing import Final, Literal

from eunoe.domain.keys import Key
from eunoe.store import own
from eunoe.store.codec import Reader
from eunoe.store.db import Tx, to_micros
from eunoe.store.mapping import MADE, TIME, json, mapped
from eunoe.store.paging import Page
from eunoe.store.where import Where

_KEYS: Final = mapped(
    Key,
    "api_keys",
    noun="key",
    kept={
        **MADE,
        "agent_ids": json(Reader(tuple[str, ...]).validate_json),
        "expires_at": TIME,
        "last_used_at": TIME,
    },
    scoped=False,
    unknown_cursor="missing",
)
_OWNED: Final = {
    "conversation": "SELECT agent_id FROM conversations WHERE id = $1 AND organization_id = $2",
    "run": "SELECT agent_id FROM runs WHERE id = $1 AND organization_id = $2",
}


async def insert(tx: Tx, key: Key, *, digest: str) -> None:
    await own.insert(tx, _KEYS, key, digest=digest)


async def by_digest(tx: Tx, digest: str, *, at: datetime) -> Key | None:
    """Return the key of this digest that has not expired, and whose user is still there."""
    return await own.first(
        tx,
        _KEYS,
        "JOIN users ON users.id = api_keys.user_id AND"
        " users.organization_id = api_keys.organization_id"
        " WHERE api_keys.digest = $1 AND (expires_at IS NULL OR expires_at > $2)",
        digest,
        to_micros(at),
    )


async def list_keys(tx: Tx, page: Page) -> list[Key]:
    """Return keys of every organization: to administer them is to administer the server."""
    return await own.page(tx, _KEYS, Where(tx).add("1 = 1"), page)


async def has_admin(tx: Tx, *, at: datetime) -> bool:
    """Whether a key that has not expired administers this server."""
    found = await tx.fetch_value(
        "SELECT 1 FROM api_keys WHERE scope = 'admin' AND agent_ids_json = '[]'"
        " AND (expires_at IS NULL OR expires_at > $1) LIMIT 1",
        to_micros(at),
    )
    return found is not None


async def delete(tx: Tx, key_id: str) -> bool:
    """Remove the key of this id. Whether there was one."""
    return bool(await tx.execute("DELETE FROM api_keys WHERE id = $1", key_id))


async def note_used(tx: Tx, key_id: str, *, at: datetime, unless_since: datetime) -> None:
    await tx.execute(
        "UPDATE api_keys SET last_used_at = $1"
        " WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $3)",
        to_micros(at),
        key_id,
        to_micros(unless_since),
    )


async def agent_of(tx: Tx, noun: Literal["conversation", "run"], thing_id: str) -> str | None:
    """Return the agent whose conversation or run it is, null for an unknown or foreign one."""
    found: str | None = await tx.fetch_value(_OWNED[noun], thing_id, tx.actor.organization_id)
    return found
