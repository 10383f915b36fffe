"""Queries on keys, of which only a digest is stored: they say whose data is asked for."""

from datetime import datetime
from typing import Final, Literal

from eunoe.domain.keys import Key
from eunoe.store import codec
from eunoe.store.db import Row, Tx, from_micros, optional_micros, optional_time, to_micros
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where

_NAMES: Final = (
    "id, organization_id, user_id, name, scope, agent_ids_json, expires_at, last_used_at,"
    " created_at"
)
_COLUMNS: Final = ", ".join(f"api_keys.{name.strip()}" for name in _NAMES.split(","))
_KEYS: Final = Listing(
    noun="key", table="api_keys", columns=_COLUMNS, scoped=False, unknown_cursor="missing"
)
_texts: Final = codec.Reader(tuple[str, ...])
_OWNED: Final = {
    "conversation": "SELECT agent_id FROM conversations WHERE id = $1 AND organization_id = $2",
    "run": "SELECT agent_id FROM runs WHERE id = $1 AND organization_id = $2",
}


async def insert(tx: Tx, key: Key, *, digest: str) -> None:
    await tx.execute(
        f"INSERT INTO api_keys ({_NAMES}, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        key.id,
        key.organization_id,
        key.user_id,
        key.name,
        key.scope,
        codec.encode(key.agent_ids),
        optional_micros(key.expires_at),
        optional_micros(key.last_used_at),
        to_micros(key.created_at),
        digest,
    )


async def by_digest(tx: Tx, digest: str, *, at: datetime) -> Key | None:
    """Return the key of this digest that has not expired, and whose user is still there."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM api_keys JOIN users ON users.id = api_keys.user_id"
        " AND users.organization_id = api_keys.organization_id"
        " WHERE api_keys.digest = $1 AND (expires_at IS NULL OR expires_at > $2)",
        digest,
        to_micros(at),
    )
    return None if row is None else _read(row)


async def list_keys(tx: Tx, page: Page) -> list[Key]:
    """Return keys of every organization: to administer them is to administer the server."""
    return [_read(row) for row in await listing(tx, _KEYS, Where(tx).add("1 = 1"), page)]


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


def _read(row: Row) -> Key:
    return Key(
        id=row[0],
        organization_id=row[1],
        user_id=row[2],
        name=row[3],
        scope=row[4],
        agent_ids=_texts.validate_json(row[5]),
        expires_at=optional_time(row[6]),
        last_used_at=optional_time(row[7]),
        created_at=from_micros(row[8]),
    )
