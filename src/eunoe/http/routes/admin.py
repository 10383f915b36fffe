"""Administration: users and organizations (api 26). Whoever has the password may do it all."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.domain.names import random_name
from eunoe.http.deps import Me, RuntimeDep
from eunoe.http.pages import After, Limit, rows
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.ids import pattern
from eunoe.service import users
from eunoe.store import users as stored
from eunoe.store.db import Actor
from eunoe.store.paging import Page
from eunoe.wire.users import (
    Organization,
    OrganizationBody,
    User,
    UserCreate,
    UserUpdate,
    organization,
    user,
)

router = v1("/admin", tag="admin")

_SHOWN = 50
UserId: TypeAlias = Annotated[str, Query(pattern=pattern("user"))]


async def _page(limit: Limit = _SHOWN, after: After = None) -> Page:
    return Page(limit=rows(limit, default=_SHOWN), after=after, ascending=True)


PageDep: TypeAlias = Annotated[Page, Depends(_page)]


@router.get("/users/", **answers("list_users", list[User]))
async def list_users(runtime: RuntimeDep, page: PageDep) -> Response:
    """List all users, the oldest first."""
    async with runtime.db.read(Actor()) as tx:
        return JsonReply([user(one) for one in await stored.list_users(tx, page)])


@router.post("/users/", **answers("create_user", User))
async def create_user(body: UserCreate, me: Me) -> Response:
    """Make a user, who then acts by his id in the `user_id` header."""
    made = await users.create(
        me.db, name=body.name, organization_id=body.organization_id, by=me.actor
    )
    return JsonReply(user(made))


@router.put("/users/", **answers("update_user", User))
async def update_user(body: UserUpdate, me: Me) -> Response:
    """Give a user another name."""
    return JsonReply(user(await users.rename(me.db, body.id, body.name, by=me.actor)))


@router.delete("/users/", **answers("delete_user", User))
async def delete_user(user_id: UserId, me: Me) -> Response:
    """Remove a user; what he made is his organization's and stays."""
    return JsonReply(user(await users.delete(me.db, user_id, by=me.actor)))


@router.get("/orgs/", **answers("list_orgs", list[Organization]))
async def list_organizations(runtime: RuntimeDep, page: PageDep) -> Response:
    """List all organizations, the oldest first."""
    async with runtime.db.read(Actor()) as tx:
        return JsonReply([organization(one) for one in await stored.list_organizations(tx, page)])


@router.post("/orgs/", **answers("create_organization", Organization))
async def create_organization(body: OrganizationBody, me: Me) -> Response:
    """Make an organization, whose things no other sees."""
    made = await users.create_organization(me.db, name=body.name or random_name(), by=me.actor)
    return JsonReply(organization(made))


@router.patch("/orgs/", **answers("update_organization", Organization))
async def update_organization(org_id: str, body: OrganizationBody, me: Me) -> Response:
    """Give an organization another name."""
    changed = await users.rename_organization(me.db, org_id, body.name, by=me.actor)
    return JsonReply(organization(changed))


@router.delete("/orgs/", **answers("delete_organization_by_id", Organization))
async def delete_organization(org_id: str, me: Me) -> Response:
    """Remove an organization that owns nothing any more."""
    return JsonReply(organization(await users.delete_organization(me.db, org_id, by=me.actor)))
