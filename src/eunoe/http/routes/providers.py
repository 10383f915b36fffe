"""Providers that callers bring, with their own keys (api 18)."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from eunoe.http.deps import Me, RuntimeDep
from eunoe.http.pages import page_of
from eunoe.http.paths import ProviderId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import providers
from eunoe.store import providers as stored
from eunoe.store.paging import Page
from eunoe.store.providers import ProviderFilter
from eunoe.wire.providers import (
    CheckProviderBody,
    CreateProviderBody,
    Provider,
    ProviderType,
    UpdateProviderBody,
    provider,
)

router = v1("/providers", tag="providers")

_CHECKED = {"message": "The provider answered; its key is good."}


@router.get("/", **answers("list_providers", list[Provider]))
async def list_all(
    me: Me,
    page: Annotated[Page, Depends(page_of(limit=50, order="desc"))],
    name: str | None = None,
    provider_type: ProviderType | None = None,
) -> Response:
    """List the providers that were brought, the newest first; the server's own are not shown."""
    async with me.read() as tx:
        where = ProviderFilter(name=name, provider_type=provider_type)
        found = await stored.list_providers(tx, where, page)
    return JsonReply([provider(one) for one in found])


@router.post("/", **answers("create_provider", Provider))
async def create(body: CreateProviderBody, me: Me) -> Response:
    """Bring a provider; its models can be used at once."""
    made = await providers.create(me.db, me.actor, body.draft(), brought=me.runtime.brought)
    return JsonReply(provider(made))


@router.post("/check", operation_id="check_provider")
async def check(body: CheckProviderBody, runtime: RuntimeDep) -> Response:
    """Ask a provider for its models with this key, and keep nothing."""
    await providers.check(body.draft(), brought=runtime.brought)
    return JsonReply(_CHECKED)


@router.get("/{provider_id}", **answers("retrieve_provider", Provider))
async def retrieve(provider_id: ProviderId, me: Me) -> Response:
    async with me.read() as tx:
        return JsonReply(provider(await providers.known(tx, provider_id)))


@router.patch("/{provider_id}", **answers("modify_provider", Provider))
async def update(provider_id: ProviderId, body: UpdateProviderBody, me: Me) -> Response:
    """Change a provider's key, and its address if that is sent too."""
    changed = await providers.update(
        me.db, me.actor, provider_id, body.patch(), brought=me.runtime.brought
    )
    return JsonReply(provider(changed))


@router.post("/{provider_id}/check", operation_id="check_existing_provider")
async def check_existing(provider_id: ProviderId, me: Me) -> Response:
    """Ask a provider for its models with the key that is stored."""
    await providers.check_stored(me.db, me.actor, provider_id, brought=me.runtime.brought)
    return JsonReply(_CHECKED)


@router.patch("/{provider_id}/refresh", **answers("refresh_provider_models", Provider))
async def refresh(provider_id: ProviderId, me: Me) -> Response:
    """Read a provider's list of models anew."""
    found = await providers.refresh(me.db, me.actor, provider_id, brought=me.runtime.brought)
    return JsonReply(provider(found))


@router.delete("/{provider_id}", operation_id="delete_provider")
async def delete(provider_id: ProviderId, me: Me) -> Response:
    """Delete a provider and its keys; agents that speak through it keep their settings."""
    await providers.delete(me.db, me.actor, provider_id)
    return JsonReply({"message": f"The provider {provider_id} was deleted."})
