"""Queries on the providers that callers brought; their keys are sealed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eunoe.domain.providers import Provider
from eunoe.store import own
from eunoe.store.db import Tx, to_micros
from eunoe.store.mapping import CHANGED, TIME, Kept, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_KEYS: Final = ("api_key", "access_key")
_WHOLE: Final = mapped(
    Provider,
    "providers",
    noun="provider",
    kept={
        **CHANGED,
        "last_synced": TIME,
        **{key: Kept(suffix="_sealed", sealed=True) for key in _KEYS},
    },
)
_PROVIDERS: Final = mapped(
    Provider,
    "providers",
    noun="provider",
    kept={**CHANGED, "last_synced": TIME},
    without=_KEYS,
    unknown_cursor="missing",
)
_KEPT: Final = ("id", "organization_id", "name", "created_by_id", "created_at")
# A deleted one comes back as what is new, with its old id (api 18.3); a living one stays.
_BACK: Final = (
    " ON CONFLICT (organization_id, name) DO UPDATE SET is_deleted = 0, "
    + ", ".join(f"{it} = excluded.{it}" for it in _WHOLE.names.values() if it not in _KEPT)
    + " WHERE providers.is_deleted = 1"
)
_ALIVE: Final = "is_deleted = 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFilter:
    """What is asked of a list of providers; null asks for nothing."""

    name: str | None = None
    provider_type: str | None = None


async def insert(tx: Tx, provider: Provider) -> bool:
    """Store a provider, or bring a deleted one of its name back; false where one lives."""
    return bool(await own.insert(tx, _WHOLE, provider, tail=_BACK, is_deleted=0))


async def update(tx: Tx, provider: Provider) -> None:
    """Replace the row, the keys included."""
    await own.update(tx, _WHOLE, provider, where={"is_deleted": 0})


async def get(
    tx: Tx, provider_id: str, *, keys: bool = False, held: bool = False
) -> Provider | None:
    """Return a provider, with its `keys` if they are asked for. Raises `SecretUnreadable`.

    `held` keeps others from changing it until the commit.
    """
    what = _WHOLE if keys else _PROVIDERS
    return await own.get(tx, what, provider_id, held=held, also=f" AND {_ALIVE}")


async def named(tx: Tx, name: str) -> Provider | None:
    """Return the provider of this name."""
    return await own.first(
        tx,
        _PROVIDERS,
        f"WHERE organization_id = $1 AND name = $2 AND {_ALIVE}",
        tx.actor.organization_id,
        name,
    )


async def with_keys(tx: Tx) -> list[Provider]:
    """Return all providers of the organization with their keys. Raises `SecretUnreadable`."""
    return await own.select(
        tx, _WHOLE, f"WHERE organization_id = $1 AND {_ALIVE}", tx.actor.organization_id
    )


async def list_providers(tx: Tx, asked: ProviderFilter, page: Page) -> list[Provider]:
    """Return a page of providers without their keys; an unknown cursor is `Missing`."""
    where = of_organization(tx, "providers").add(_ALIVE)
    where.equal(name=asked.name, provider_type=asked.provider_type)
    return await own.page(tx, _PROVIDERS, where, page)


async def note_synced(tx: Tx, provider_id: str, *, at: datetime) -> None:
    await tx.execute(
        "UPDATE providers SET last_synced = $1 WHERE id = $2 AND organization_id = $3",
        to_micros(at),
        provider_id,
        tx.actor.organization_id,
    )


async def delete(tx: Tx, provider_id: str, *, at: datetime) -> bool:
    """Hide a provider and forget its keys (api 18.5). Whether there was one."""
    return bool(
        await tx.execute(
            "UPDATE providers SET is_deleted = 1, api_key_sealed = NULL, access_key_sealed = NULL,"
            " last_updated_by_id = $1, updated_at = $2"
            " WHERE id = $3 AND organization_id = $4 AND is_deleted = 0",
            tx.actor.user_id,
            to_micros(at),
            provider_id,
            tx.actor.organization_id,
        )
    )
