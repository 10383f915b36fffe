"""Providers that callers brought: stored with sealed keys, checked, and used at once (api 18)."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from eunoe import ids
from eunoe.domain.addresses import is_reachable
from eunoe.domain.alike import alike
from eunoe.domain.providers import Provider, ProviderDraft, ProviderPatch
from eunoe.errors import Invalid, ModelError, ProviderExists, ProviderInvalid
from eunoe.llm.brought import BroughtProviders, Load
from eunoe.llm.providers import BASE_URLS, ProviderConfig, base_url
from eunoe.service.stamps import made_by, touched_by
from eunoe.store import audit, providers
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.own import there

log: Final = logging.getLogger("eunoe.providers")


def loader(db: Database) -> Load:
    """Return what reads the providers of an organization for those who talk to them."""

    async def load(organization_id: str) -> Sequence[ProviderConfig]:
        async with db.read(Actor(organization_id=organization_id)) as tx:
            return [config_of(one) for one in await providers.with_keys(tx)]

    return load


async def create(
    db: Database, actor: Actor, draft: ProviderDraft, *, brought: BroughtProviders
) -> Provider:
    """Store a provider and read its models, if it answers (18.3).

    Raises `ProviderInvalid`, also for a name of the server's own, and `ProviderExists`.
    """
    if brought.shared.serves(draft.name):
        raise ProviderInvalid(f"The name {draft.name} is one of the server's own providers.")
    made = Provider(
        **asdict(draft),
        id=ids.new("provider"),
        organization_id=actor.organization_id,
        **made_by(actor),
    )
    _check(made)
    async with db.write(actor) as tx:
        if not await providers.insert(tx, made):
            raise ProviderExists(f"There is a provider {draft.name} already; change that one.")
        # One that comes back has the id that it had.
        stored = there(await providers.named(tx, draft.name), "provider", draft.name)
        await audit.note(tx, "provider.create", stored.id)
    return await _synced(db, actor, stored, brought=brought)


async def update(
    db: Database, actor: Actor, provider_id: str, patch: ProviderPatch, *, brought: BroughtProviders
) -> Provider:
    """Change the key, and what else the patch names (18.4)."""
    changes = {name: value for name, value in asdict(patch).items() if value is not None}
    async with db.write(actor) as tx:
        found = await known(tx, provider_id, keys=patch.access_key is None, held=True)
        changed = replace(found, **changes, **touched_by(actor))
        _check(changed)
        await providers.update(tx, changed)
        await audit.note(tx, "provider.update", provider_id)
    return await _synced(db, actor, changed, brought=brought)


async def delete(db: Database, actor: Actor, provider_id: str) -> None:
    """Forget a provider's keys and hide it; agents keep their configuration (18.5)."""
    async with db.write(actor) as tx:
        gone = await providers.delete(tx, provider_id, at=datetime.now(UTC))
        there(gone, "provider", provider_id)
        await audit.note(tx, "provider.delete", provider_id)


async def check(draft: ProviderDraft, *, brought: BroughtProviders) -> None:
    """Ask a provider that nobody has stored for its models (18.6); raise what it answers."""
    now = datetime.now(UTC)
    unstored = Provider(**asdict(draft), id="", organization_id="", created_at=now, updated_at=now)
    _check(unstored)
    await brought.check(config_of(unstored))


async def check_stored(
    db: Database, actor: Actor, provider_id: str, *, brought: BroughtProviders
) -> None:
    async with db.read(actor) as tx:
        found = await known(tx, provider_id, keys=True)
    await brought.check(config_of(found))


async def refresh(
    db: Database, actor: Actor, provider_id: str, *, brought: BroughtProviders
) -> Provider:
    """Read a provider's models anew (18.7); raise the `ModelError` it gave."""
    async with db.read(actor) as tx:
        found = await known(tx, provider_id)
    await brought.refresh(actor.organization_id, found.name)
    return await _noted(db, actor, found)


async def known(tx: Tx, provider_id: str, *, keys: bool = False, held: bool = False) -> Provider:
    """Return the provider; raise `Missing` for an unknown, foreign or deleted one."""
    found = await providers.get(tx, provider_id, keys=keys, held=held)
    return there(found, "provider", provider_id)


def config_of(provider: Provider) -> ProviderConfig:
    """Return how the provider is asked; its type's own address where none was given."""
    url = base_url(provider.provider_type, provider.base_url)
    return alike(ProviderConfig, provider, base_url=url, category="byok")


_NO_ADDRESS: Final = frozenset({"bedrock"})
"""Types whose address follows from their region."""


def _check(provider: Provider) -> None:
    """Raise `ProviderInvalid` for what can never be asked.

    Private addresses pass, because models live there and `llm/reach` knows whether they may be
    asked; those that machines ask for their own credentials do not.
    """
    if provider.provider_type == "google_vertex":
        # It would take them to whatever address the caller names.
        raise ProviderInvalid(
            "Google Cloud is asked with the credentials of this machine, which its operator alone "
            "may set up; bring google_ai with a key instead."
        )
    if provider.provider_type in _NO_ADDRESS:
        if not provider.region or not provider.access_key:
            raise ProviderInvalid("Bedrock needs `access_key` and `region` beside `api_key`.")
        if provider.base_url is not None:
            raise ProviderInvalid("The address of Bedrock is its region's; leave `base_url` out.")
        return
    if provider.base_url is None and provider.provider_type not in BASE_URLS:
        raise ProviderInvalid(f"A provider of type {provider.provider_type} needs `base_url`.")
    if provider.base_url is not None and not _is_address(provider.base_url):
        raise ProviderInvalid(
            "`base_url` must be the http or https address of a provider, without a user, a query "
            "or a fragment, and not a link-local one."
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not bare:
        return False
    try:
        return is_reachable(parts.hostname, private=True)
    except ValueError:
        return True


async def _synced(
    db: Database, actor: Actor, found: Provider, *, brought: BroughtProviders
) -> Provider:
    """Read the models of what was just stored; that it does not answer is no failure."""
    try:
        await brought.refresh(actor.organization_id, found.name)
    except (ModelError, Invalid) as error:
        log.info("The models of %s cannot be read yet: %s", found.id, error.code)
        return found
    return await _noted(db, actor, found)


async def _noted(db: Database, actor: Actor, provider: Provider) -> Provider:
    now = datetime.now(UTC)
    async with db.write(actor) as tx:
        await providers.note_synced(tx, provider.id, at=now)
    return replace(provider, last_synced=now)
