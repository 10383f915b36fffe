"""Queries on the first answers to requests with an idempotency key.

An answer may show a secret once, as that to a new key does, so all of them are sealed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eunoe.store import mapping, own
from eunoe.store.db import Tx, to_micros
from eunoe.store.mapping import TIME, mapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """`status` is null while the request is being answered, `body` where it was not kept."""

    body_hash: str
    owner: str
    held_until: datetime
    status: int | None
    run_id: str | None
    content_type: str | None
    body: str | None


_ANSWERS: Final = mapped(
    Kept,
    "kept_answers",
    noun="answer",
    kept={"held_until": TIME, "body": mapping.Kept(suffix="_sealed", sealed=True)},
    scoped=False,
)


async def begin(
    tx: Tx, key_hash: str, body_hash: str, *, owner: str, at: datetime, until: datetime
) -> bool:
    """Note a request before it is answered; false where one with its key was noted before."""
    return bool(
        await tx.execute(
            "INSERT INTO kept_answers (id, body_hash, owner, held_until, created_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            key_hash,
            body_hash,
            owner,
            to_micros(until),
            to_micros(at),
        )
    )


async def get(tx: Tx, key_hash: str) -> Kept | None:
    return await own.first(tx, _ANSWERS, "WHERE id = $1", key_hash)


async def take_over(tx: Tx, key_hash: str, kept: Kept, *, owner: str, until: datetime) -> bool:
    """Answer in the place of one that died over it; false where somebody else does."""
    return bool(
        await tx.execute(
            "UPDATE kept_answers SET owner = $1, held_until = $2, status = NULL"
            " WHERE id = $3 AND owner = $4",
            owner,
            to_micros(until),
            key_hash,
            kept.owner,
        )
    )


async def hold(tx: Tx, key_hash: str, *, owner: str, until: datetime) -> None:
    """Say that the request is still being answered."""
    await tx.execute(
        "UPDATE kept_answers SET held_until = $1 WHERE id = $2 AND owner = $3",
        to_micros(until),
        key_hash,
        owner,
    )


async def keep(
    tx: Tx,
    key_hash: str,
    *,
    owner: str,
    status: int,
    run_id: str | None,
    content_type: str | None,
    body: str | None,
) -> None:
    """Store the answer, unless somebody else answers by now."""
    await tx.execute(
        "UPDATE kept_answers SET status = $1, run_id = $2, content_type = $3, body_sealed = $4"
        " WHERE id = $5 AND owner = $6",
        status,
        run_id,
        content_type,
        None if body is None else tx.sealer.seal(body),
        key_hash,
        owner,
    )


async def release(tx: Tx, key_hash: str, *, owner: str) -> None:
    """Forget a request that came to nothing, so that it can be sent again."""
    await tx.execute("DELETE FROM kept_answers WHERE id = $1 AND owner = $2", key_hash, owner)
