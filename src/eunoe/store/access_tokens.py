"""Queries on access tokens, of which only a digest is stored."""

from dataclasses import asdict
from datetime import datetime
from typing import Final

from eunoe.domain.access_tokens import AccessToken, Grant
from eunoe.store import codec
from eunoe.store.db import Row, Tx, from_micros, to_micros
from eunoe.store.where import of_organization

_COLUMNS: Final = "id, organization_id, user_id, hostname, policy_json, expires_at, created_at"
_grants: Final = codec.Reader(tuple[Grant, ...])


async def insert(tx: Tx, token: AccessToken, *, digest: str) -> None:
    """Store a token, and forget those of the organization that have expired."""
    await tx.execute(
        "DELETE FROM access_tokens WHERE organization_id = $1 AND expires_at <= $2",
        tx.actor.organization_id,
        to_micros(token.created_at),
    )
    await tx.execute(
        f"INSERT INTO access_tokens ({_COLUMNS}, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        token.id,
        tx.actor.organization_id,
        tx.actor.user_id,
        token.hostname,
        codec.encode([asdict(grant) for grant in token.grants]),
        to_micros(token.expires_at),
        to_micros(token.created_at),
        digest,
    )


async def by_digest(tx: Tx, digest: str, *, at: datetime) -> AccessToken | None:
    """Return the token of this digest that has not expired; its organization is found by it."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM access_tokens WHERE digest = $1 AND expires_at > $2",
        digest,
        to_micros(at),
    )
    return None if row is None else _read(row)


async def list_tokens(
    tx: Tx, *, agent_id: str | None, at: datetime, limit: int, offset: int
) -> list[AccessToken]:
    """Return tokens that have not expired, the newest first; this list is paged by places."""
    where = of_organization(tx, "access_tokens").add("expires_at > {}", to_micros(at))
    where.contains(policy_json=agent_id)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM access_tokens WHERE {where.sql} ORDER BY created_at DESC, id DESC"
        f" LIMIT {where.bound(limit)} OFFSET {where.bound(offset)}",
        *where.args,
    )
    return [_read(row) for row in rows]


async def delete(tx: Tx, *, token_id: str, digest: str) -> bool:
    """Remove the token of this id or digest. Whether there was one."""
    return bool(
        await tx.execute(
            "DELETE FROM access_tokens WHERE organization_id = $1 AND (id = $2 OR digest = $3)",
            tx.actor.organization_id,
            token_id,
            digest,
        )
    )


def _read(row: Row) -> AccessToken:
    return AccessToken(
        id=row[0],
        organization_id=row[1],
        user_id=row[2],
        hostname=row[3],
        grants=_grants.validate_json(row[4]),
        expires_at=from_micros(row[5]),
        created_at=from_micros(row[6]),
    )
