"""What a stored thing says of who made it, who changed it last, and when."""

from datetime import UTC, datetime

from typing_extensions import TypedDict

from eunoe.store.db import Actor


class Touched(TypedDict):
    last_updated_by_id: str
    updated_at: datetime


class Made(Touched):
    created_by_id: str
    created_at: datetime


def made_by(actor: Actor, *, at: datetime | None = None) -> Made:
    """Return what a new thing says of itself."""
    now = at or datetime.now(UTC)
    return {**touched_by(actor, at=now), "created_by_id": actor.user_id, "created_at": now}


def touched_by(actor: Actor, *, at: datetime | None = None) -> Touched:
    """Return what a thing says of itself once it is changed."""
    return {"last_updated_by_id": actor.user_id, "updated_at": at or datetime.now(UTC)}
