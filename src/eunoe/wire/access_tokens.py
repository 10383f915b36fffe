"""Access tokens on the wire, in camel case (25.3)."""

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from typing_extensions import TypedDict

from eunoe.domain import access_tokens
from eunoe.domain.access_tokens import Access, Grant
from eunoe.wire.references import AgentId
from eunoe.wire.shape import Shape, distinct
from eunoe.wire.times import Moment, entity_time


class PolicyBody(Shape):
    type: Literal["agent"]
    id: AgentId
    access: Annotated[list[Access], Field(min_length=1)]


class CreateAccessTokenBody(Shape):
    hostname: str
    policy: Annotated[list[PolicyBody], Field(min_length=1, max_length=1000)]
    expires_at: Moment | None = None

    @field_validator("hostname")
    @classmethod
    def _hostname_is_an_address(cls, hostname: str) -> str:
        parts = urlsplit(hostname)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("write it with its scheme, as https://app.example.org")
        return hostname

    def grants(self) -> list[Grant]:
        return [Grant(agent_id=one.id, access=distinct(one.access)) for one in self.policy]


class PolicyEntry(TypedDict):
    type: Literal["agent"]
    id: str
    access: Sequence[Access]


class Policy(TypedDict):
    version: Literal["1"]
    data: list[PolicyEntry]


class AccessToken(TypedDict):
    token: str
    hostname: str
    expiresAt: str
    policy: Policy


class AccessTokens(TypedDict):
    tokens: list[AccessToken]
    hasNextPage: bool


def access_token(one: access_tokens.AccessToken, *, text: str | None = None) -> AccessToken:
    """Return a token with its `text`, which is known only as it is made; later by its id."""
    return {
        "token": one.id if text is None else text,
        "hostname": one.hostname,
        "expiresAt": entity_time(one.expires_at),
        "policy": {
            "version": "1",
            "data": [
                {"type": "agent", "id": grant.agent_id, "access": grant.access}
                for grant in one.grants
            ],
        },
    }
