"""Queries on users: who a request acts as."""

from eunoe.store.db import Tx


async def organization_of(tx: Tx, user_id: str) -> str | None:
    """Return the organization of a user, null for an unknown one.

    The one query that is not scoped to the actor's organization: it is what finds it.
    """
    found: str | None = await tx.fetch_value(
        "SELECT organization_id FROM users WHERE id = $1", user_id
    )
    return found
