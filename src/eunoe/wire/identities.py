"""Identities on the wire (api 21.1)."""

from typing import Annotated, Any, TypeAlias

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from eunoe.domain import identities
from eunoe.domain.identities import (
    IdentityDraft,
    IdentityPatch,
    IdentityType,
    Property,
    PropertyType,
)
from eunoe.wire.references import AgentId, BlockId
from eunoe.wire.shape import Strict, distinct, distinct_if_sent, shown_as

Key: TypeAlias = Annotated[str, Field(min_length=1)]


class PropertyBody(Strict):
    """One property; its value is of the type that it names."""

    key: Key
    value: str | int | float | bool | dict[str, Any]
    type: PropertyType

    @model_validator(mode="after")
    def _value_fits_type(self) -> "PropertyBody":
        # Whatever it is, it is JSON, and so is a text that holds some.
        if self.type not in (_type_of(self.value), "json"):
            raise ValueError(f"the value of `{self.key}` is not of the type {self.type}")
        return self

    def read(self) -> Property:
        return self.made(Property)


def _type_of(value: object) -> PropertyType:
    match value:
        case str():
            return "string"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case _:
            return "json"


class CreateIdentityBody(Strict):
    identifier_key: Key
    name: str
    identity_type: IdentityType
    project_id: str | None = None
    agent_ids: list[AgentId] | None = None
    block_ids: list[BlockId] | None = None
    properties: list[PropertyBody] | None = None

    def draft(self) -> IdentityDraft:
        return self.made(
            IdentityDraft,
            properties=None if self.properties is None else properties(self.properties),
            agent_ids=distinct_if_sent(self.agent_ids),
            block_ids=distinct_if_sent(self.block_ids),
        )


class UpdateIdentityBody(Strict):
    identifier_key: Key | None = None
    name: str | None = None
    identity_type: IdentityType | None = None
    agent_ids: list[AgentId] | None = None
    block_ids: list[BlockId] | None = None
    properties: list[PropertyBody] | None = None

    def patch(self) -> IdentityPatch:
        return self.made(
            IdentityPatch,
            properties=None if self.properties is None else properties(self.properties),
            agent_ids=distinct(self.agent_ids),
            block_ids=distinct(self.block_ids),
        )


class IdentityProperty(TypedDict):
    key: str
    value: Any
    type: PropertyType


class Identity(TypedDict):
    id: str
    identifier_key: str
    name: str
    identity_type: IdentityType
    project_id: str | None
    organization_id: str
    properties: list[IdentityProperty]
    agent_ids: list[str]
    block_ids: list[str]


def properties(bodies: list[PropertyBody]) -> tuple[Property, ...]:
    return identities.merged((), [body.read() for body in bodies])


def identity(one: identities.Identity) -> Identity:
    """Return an identity; who belongs to it is asked for by the lists beside it."""
    held = [shown_as(IdentityProperty, one) for one in one.properties]
    return shown_as(Identity, one, properties=held, agent_ids=[], block_ids=[])
