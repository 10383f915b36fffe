"""Keys on the wire: a resource of this server's own."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from eunoe.domain import keys
from eunoe.domain.keys import Scope
from eunoe.ids import pattern
from eunoe.wire.shape import Shape
from eunoe.wire.times import entity_time


class CreateKeyBody(Shape):
    """What a key is to open, and whose it is; the default user's where neither is named."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scope: Scope = "write"
    agent_ids: Annotated[
        list[Annotated[str, Field(pattern=pattern("agent"))]], Field(max_length=1000)
    ] = Field([])
    organization_id: Annotated[str | None, Field(pattern=pattern("organization"))] = None
    user_id: Annotated[str | None, Field(pattern=pattern("user"))] = None
    expires_at: datetime | None = None

    def expiry(self) -> datetime | None:
        """Return when it is to expire; a time without a zone is UTC."""
        at = self.expires_at
        return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


class Key(TypedDict):
    id: str
    name: str
    scope: Scope
    agent_ids: Sequence[str]
    organization_id: str
    user_id: str
    expires_at: str | None
    last_used_at: str | None
    created_at: str


class CreatedKey(Key):
    key: str
    """The key itself, in this answer alone."""


def key(one: keys.Key) -> Key:
    return {
        "id": one.id,
        "name": one.name,
        "scope": one.scope,
        "agent_ids": one.agent_ids,
        "organization_id": one.organization_id,
        "user_id": one.user_id,
        "expires_at": _optional(one.expires_at),
        "last_used_at": _optional(one.last_used_at),
        "created_at": entity_time(one.created_at),
    }


def created_key(one: keys.Key, text: str) -> CreatedKey:
    return {**key(one), "key": text}


def _optional(at: datetime | None) -> str | None:
    return None if at is None else entity_time(at.astimezone(UTC))
