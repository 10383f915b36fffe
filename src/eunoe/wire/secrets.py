"""Secrets of agents on the wire (api 6.14)."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import Field, SecretStr
from typing_extensions import TypedDict

from eunoe.domain.secrets import AgentSecret
from eunoe.wire.shape import shown_as

SecretKey: TypeAlias = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^=\x00]+$")]
SecretsBody: TypeAlias = dict[SecretKey, SecretStr]


class AgentEnvironmentVariable(TypedDict):
    id: str
    key: str
    value: str
    value_enc: None
    description: None
    organization_id: str
    agent_id: str
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: str
    updated_at: str


def secret(one: AgentSecret) -> AgentEnvironmentVariable:
    """Return a secret in clear, for whoever asked for it; never as it is stored."""
    return shown_as(AgentEnvironmentVariable, one, value_enc=None, description=None)


def first_sent(*bodies: SecretsBody | None) -> Mapping[str, str] | None:
    """Return the first of `bodies` that was sent, null where none was (6.14.1)."""
    for body in bodies:
        if body is not None:
            return {key: value.get_secret_value() for key, value in body.items()}
    return None
