"""Keys to this server, for whoever administers it; a resource of its own."""

from typing import Annotated, TypeAlias

from fastapi import Depends
from starlette.responses import Response

from eunoe.http.deps import RuntimeDep
from eunoe.http.pages import page_of
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import keys
from eunoe.store import keys as stored
from eunoe.store.db import Actor
from eunoe.store.paging import Page
from eunoe.wire.keys import CreatedKey, CreateKeyBody, Key, created_key, key

router = v1("/keys", tag="keys")

PageDep: TypeAlias = Annotated[Page, Depends(page_of(limit=50, order="desc"))]


@router.post("/", **answers("create_key", CreatedKey, status=201))
async def create(body: CreateKeyBody, runtime: RuntimeDep) -> Response:
    """Make a key; its text is in this answer alone."""
    text, made = await keys.create(
        runtime.db,
        name=body.name,
        scope=body.scope,
        agent_ids=body.agent_ids,
        organization_id=body.organization_id,
        user_id=body.user_id,
        expires_at=body.expires_at,
    )
    return JsonReply(created_key(made, text), status=201)


@router.get("/", **answers("list_keys", list[Key]))
async def list_all(runtime: RuntimeDep, page: PageDep) -> Response:
    """List the keys of all organizations, the newest first."""
    async with runtime.db.read(Actor()) as tx:
        return JsonReply([key(one) for one in await stored.list_keys(tx, page)])


@router.delete("/{key_id}", operation_id="delete_key", status_code=204)
async def delete(key_id: str, runtime: RuntimeDep) -> Response:
    """Revoke a key: the next request with it is refused."""
    await keys.revoke(runtime.db, key_id)
    return Response(status_code=204)
