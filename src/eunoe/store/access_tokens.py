"""Queries on access tokens, of which only a digest is stored."""

from datetime import datetime
from typing import Final

from eunoe.domain.access_tokens import AccessToken, Grant
from eunoe.store import own
from eunoe.store.codec import Reader
from eunoe.store.db import Tx, to_micros
from eunoe.store.mapping import MADE, TIME, json, mapped
from eunoe.store.where import of_organization

_GRANTS: Final = json(Reader(tuple[Grant, ...]).validate_json, column="policy_json")
_TOKENS: Final = mapped(
    AccessToken,
    "access_tokens",
    noun="access token",
    kept={**MADE, "grants": _GRANTS, "expires_at": TIME},
)


async def insert(tx: Tx, token: AccessToken, *, digest: str) -> None:
    """Store a token, and forget those of the organization that have expired."""
    await tx.execute(
        "DELETE FROM access_tokens WHERE organization_id = $1 AND expires_at <= $2",
        tx.actor.organization_id,
        to_micros(token.created_at),
    )
    await own.insert(tx, _TOKENS, token, user_id=tx.actor.user_id, digest=digest)


async def by_digest(tx: Tx, digest: str, *, at: datetime) -> AccessToken | None:
    """Return the token of this digest that has not expired; its organization is found by it."""
    return await own.first(
        tx, _TOKENS, "WHERE digest = $1 AND expires_at > $2", digest, to_micros(at)
    )


async def list_tokens(
    tx: Tx, *, agent_id: str | None, at: datetime, limit: int, offset: int
) -> list[AccessToken]:
    """Return tokens that have not expired, the newest first; this list is paged by places."""
    where = of_organization(tx, "access_tokens").add("expires_at > {}", to_micros(at))
    where.contains(policy_json=None if agent_id is None else f'"{agent_id}"')
    return await own.select(
        tx,
        _TOKENS,
        f"WHERE {where.sql} ORDER BY created_at DESC, id DESC"
        f" LIMIT {where.bound(limit)} OFFSET {where.bound(offset)}",
        *where.args,
    )


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
