"""Queries on the providers that callers brought; their keys are sealed."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from eunoe.domain.providers import Provider
from eunoe.store import own
from eunoe.store.db import Row, Tx, Value, from_micros, optional_micros, optional_time, to_micros
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_FIELDS: Final = (
    "id", "organization_id", "name", "provider_type", "base_url", "region", "api_version",
    "api_key_sealed", "access_key_sealed", "last_synced", "created_by_id", "last_updated_by_id",
    "created_at", "updated_at",
)  # fmt: skip
_COLUMNS: Final = ", ".join(f"providers.{name}" for name in _FIELDS)
_KEPT: Final = ("id", "organization_id", "created_by_id", "created_at")
# A deleted one comes back as what is new, with its old id (api 18.3); a living one stays.
_INSERT: Final = (
    f"INSERT INTO providers ({', '.join(_FIELDS)}, is_deleted)"
    f" VALUES ({', '.join(f'${place}' for place in range(1, len(_FIELDS) + 1))}, 0)"
    " ON CONFLICT (organization_id, name) DO UPDATE SET is_deleted = 0, "
    + ", ".join(f"{name} = excluded.{name}" for name in _FIELDS if name not in {*_KEPT, "name"})
    + " WHERE providers.is_deleted = 1"
)
_UPDATE: Final = (
    f"UPDATE providers SET {', '.join(f'{n} = ${at}' for at, n in enumerate(_FIELDS[2:], 3))}"
    " WHERE id = $1 AND organization_id = $2 AND is_deleted = 0"
)
_LISTING: Final = Listing(
    noun="provider", table="providers", columns=_COLUMNS, unknown_cursor="missing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFilter:
    """What is asked of a list of providers; null asks for nothing."""

    name: str | None = None
    provider_type: str | None = None


async def insert(tx: Tx, provider: Provider) -> bool:
    """Store a provider, or bring a deleted one of its name back; false where one lives."""
    return bool(await tx.execute(_INSERT, *_values(tx, provider)))


async def update(tx: Tx, provider: Provider) -> None:
    """Replace the row, the keys included."""
    await tx.execute(_UPDATE, *_values(tx, provider))


async def get(tx: Tx, provider_id: str, *, keys: bool = False) -> Provider | None:
    """Return a provider, with its `keys` if they are asked for. Raises `SecretUnreadable`."""
    row = await own.get(tx, _LISTING, provider_id, also=" AND is_deleted = 0")
    return None if row is None else _read(tx, row, keys=keys)


async def named(tx: Tx, name: str) -> Provider | None:
    """Return the provider of this name."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM providers WHERE organization_id = $1 AND name = $2"
        " AND is_deleted = 0",
        tx.actor.organization_id,
        name,
    )
    return None if row is None else _read(tx, row, keys=False)


async def with_keys(tx: Tx) -> list[Provider]:
    """Return all providers of the organization with their keys. Raises `SecretUnreadable`."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM providers WHERE organization_id = $1 AND is_deleted = 0",
        tx.actor.organization_id,
    )
    return [_read(tx, row, keys=True) for row in rows]


async def list_providers(tx: Tx, asked: ProviderFilter, page: Page) -> list[Provider]:
    """Return a page of providers without their keys; an unknown cursor is `Missing`."""
    where = of_organization(tx, "providers").add("providers.is_deleted = 0")
    where.equal(name=asked.name, provider_type=asked.provider_type)
    return [_read(tx, row, keys=False) for row in await listing(tx, _LISTING, where, page)]


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


def _read(tx: Tx, row: Row, *, keys: bool) -> Provider:
    stored: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    sealed = {name: stored.pop(f"{name}_sealed") for name in ("api_key", "access_key")}
    for name in ("created_at", "updated_at"):
        stored[name] = from_micros(stored[name])
    stored["last_synced"] = optional_time(stored["last_synced"])
    found = Provider(**stored)
    if not keys:
        return found
    opened = {name: tx.sealer.open(value) for name, value in sealed.items() if value is not None}
    return replace(found, **opened)


def _values(tx: Tx, provider: Provider) -> tuple[Value, ...]:
    """Return the values of `_FIELDS`, in their order, the keys sealed."""
    key, access = provider.api_key, provider.access_key
    made: dict[str, Value] = {
        "api_key_sealed": None if key is None else tx.sealer.seal(key),
        "access_key_sealed": None if access is None else tx.sealer.seal(access),
        "last_synced": optional_micros(provider.last_synced),
        "created_at": to_micros(provider.created_at),
        "updated_at": to_micros(provider.updated_at),
    }
    return tuple(made[name] if name in made else getattr(provider, name) for name in _FIELDS)
