"""Access tokens: made, shown once, recognised by their digest, revoked (25.3)."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from eunoe import ids
from eunoe.domain.access_tokens import AccessToken, Grant
from eunoe.errors import Invalid, Missing
from eunoe.store import access_tokens, agents, audit
from eunoe.store.db import Actor, Database
from eunoe.store.own import all_there

PREFIX: Final = "eunoe-at-"
"""What every token begins with, so that one is told from a password."""

LIFETIME: Final = timedelta(minutes=5)
_BYTES: Final = 32


async def create(
    db: Database,
    actor: Actor,
    *,
    hostname: str,
    grants: Sequence[Grant],
    expires_at: datetime | None,
) -> tuple[str, AccessToken]:
    """Return a new token, whose text is not kept, and what is kept of it.

    Raises `Missing` for an unknown agent, `Invalid` for a time that has passed.
    """
    now = datetime.now(UTC)
    made = AccessToken(
        id=ids.new("access_token"),
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        hostname=hostname,
        grants=tuple(grants),
        expires_at=now + LIFETIME if expires_at is None else expires_at,
        created_at=now,
    )
    if made.expires_at <= now:
        raise Invalid("`expires_at` has passed; send a time to come.")
    text = PREFIX + secrets.token_urlsafe(_BYTES)
    async with db.write(actor) as tx:
        asked = [grant.agent_id for grant in grants]
        all_there(await agents.many(tx, asked), asked, "agents")
        await access_tokens.insert(tx, made, digest=digest_of(text))
        await audit.note(tx, "access_token.create", made.id)
    return text, made


async def recognised(db: Database, text: str) -> AccessToken | None:
    """Return what is kept of a token; null for one that is unknown, revoked or expired."""
    async with db.read(Actor()) as tx:
        return await access_tokens.by_digest(tx, digest_of(text), at=datetime.now(UTC))


async def revoke(db: Database, actor: Actor, token: str) -> None:
    """Remove a token, named by its text or by the id that the list shows."""
    async with db.write(actor) as tx:
        if not await access_tokens.delete(tx, token_id=token, digest=digest_of(token)):
            raise Missing("There is no such access token.")
        # The text of a token is a secret; its digest says which it was to whoever has it.
        named = token if ids.is_id("access_token", token) else digest_of(token)
        await audit.note(tx, "access_token.revoke", named)


def digest_of(text: str) -> str:
    """Return what a token is known by where its text is not kept."""
    # It has 256 bits of chance in it: nothing slower than a plain digest protects it better.
    return hashlib.sha256(text.encode()).hexdigest()
