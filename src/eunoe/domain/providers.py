"""A provider of models that a caller brought, with the caller's own key (api 18)."""

from dataclasses import dataclass, field
from datetime import datetime

from eunoe.domain.origins import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPatch:
    """A null field says nothing (api 18.4). Keys do not show in a repr."""

    api_key: str = field(repr=False)
    access_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    region: str | None = None
    api_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDraft(ProviderPatch):
    """`name` begins the handles of its models."""

    name: str
    provider_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(Stored):
    """The keys are null unless they were asked for."""

    id: str
    organization_id: str
    name: str
    provider_type: str
    base_url: str | None = None
    region: str | None = None
    api_version: str | None = None
    api_key: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    last_synced: datetime | None = None
