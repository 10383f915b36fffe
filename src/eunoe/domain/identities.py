"""An identity: somebody in the caller's own world whom agents and blocks belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from eunoe.domain.origins import Stored

IdentityType: TypeAlias = Literal["org", "user", "other"]
PropertyType: TypeAlias = Literal["string", "number", "boolean", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """Something the caller knows of an identity; `value` is of the JSON type that `type` names."""

    key: str
    value: Any
    type: PropertyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Stored):
    """`identifier_key` is the caller's own name for it, unique in its project (api 21.2)."""

    id: str
    organization_id: str
    identifier_key: str
    name: str
    identity_type: IdentityType
    project_id: str | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDraft:
    """What a caller wants an identity to be; a null list says nothing."""

    identifier_key: str
    name: str
    identity_type: IdentityType
    project_id: str | None = None
    properties: tuple[Property, ...] | None = None
    agent_ids: tuple[str, ...] | None = None
    block_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPatch:
    """A null field says nothing; properties are merged, the lists of ids extend (api 21.4)."""

    identifier_key: str | None = None
    name: str | None = None
    identity_type: IdentityType | None = None
    properties: tuple[Property, ...] | None = None
    agent_ids: tuple[str, ...] = ()
    block_ids: tuple[str, ...] = ()


def merged(old: Sequence[Property], new: Sequence[Property]) -> tuple[Property, ...]:
    """Return `old` with each of `new` in the place of the one with its key, the rest last."""
    by_key = {one.key: one for one in (*old, *new)}
    return tuple(by_key.values())
