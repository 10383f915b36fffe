"""Keys on the wire: a resource of this server's own."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from eunoe.domain import keys
from eunoe.domain.keys import Scope
from eunoe.ids import pattern
from eunoe.wire.references import AgentId
from eunoe.wire.shape import Strict, shown_as
from eunoe.wire.times import Moment


class CreateKeyBody(Strict):
    """What a key is to open, and whose it is; the default user's where neither is named."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scope: Scope = "write"
    agent_ids: Annotated[list[AgentId], Field(max_length=1000)] = Field([])
    organization_id: Annotated[str | None, Field(pattern=pattern("organization"))] = None
    user_id: Annotated[str | None, Field(pattern=pattern("user"))] = None
    expires_at: Moment | None = None


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
    return shown_as(Key, one)


def created_key(one: keys.Key, text: str) -> CreatedKey:
    return {**key(one), "key": text}
