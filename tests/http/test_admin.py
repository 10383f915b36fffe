"""Users and organizations: made, renamed, listed, removed, and what they then may see (api 26)."""

import httpx
import pytest

from eunoe.domain.messages import Json
from eunoe.ids import DEFAULT_ORGANIZATION, DEFAULT_USER
from tests.runs.conftest import World

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-26")]

USERS, ORGS = "/v1/admin/users/", "/v1/admin/orgs/"


async def sent(http: httpx.AsyncClient, method: str, path: str, **more: object) -> Json:
    reply = await http.request(method, path, **more)  # pyright: ignore[reportArgumentType] -- json or params
    assert reply.status_code == 200, reply.text
    made: Json = reply.json()
    return made


async def status(http: httpx.AsyncClient, method: str, path: str, **more: object) -> int:
    reply = await http.request(method, path, **more)  # pyright: ignore[reportArgumentType] -- json or params
    return reply.status_code


async def test_an_organization_and_its_user(http: httpx.AsyncClient, world: World) -> None:
    org = await sent(http, "POST", ORGS, json={"name": "Else"})
    assert sorted(org) == ["created_at", "id", "name", "privileged_tools"]
    body = {"name": "Ann", "organization_id": org["id"]}
    ann = await sent(http, "POST", USERS, json=body)
    assert ann == {
        "id": ann["id"],
        "name": "Ann",
        "organization_id": org["id"],
        "created_at": ann["created_at"],
        "updated_at": None,
        "is_deleted": False,
    }
    agent = await world.agent()
    as_ann = {"user_id": ann["id"]}
    assert await status(http, "GET", f"/v1/agents/{agent.id}", headers=as_ann) == 404
    made = await sent(
        http, "POST", "/v1/blocks/", json={"label": "human", "value": "Hers."}, headers=as_ann
    )
    assert await status(http, "GET", f"/v1/blocks/{made['id']}") == 404
    hers = await sent(
        http, "POST", "/v1/agents/", json={"model": "openai/scripted-1"}, headers=as_ann
    )
    assert await status(http, "DELETE", f"/v1/agents/{hers['id']}", headers=as_ann) == 200
    renamed = await sent(http, "PUT", USERS, json={"id": ann["id"], "name": "Anna"})
    assert renamed == {**ann, "name": "Anna"}
    assert await sent(http, "PUT", USERS, json={"id": ann["id"]}) == renamed
    org_id = {"org_id": org["id"]}
    moved = await sent(http, "PATCH", ORGS, params=org_id, json={"name": "Elsewhere"})
    assert moved == {**org, "name": "Elsewhere"}
    assert await status(http, "DELETE", ORGS, params=org_id) == 400
    assert await sent(http, "DELETE", USERS, params={"user_id": ann["id"]}) == renamed
    assert await status(http, "DELETE", ORGS, params=org_id) == 400
    # Whoever is unknown acts as the default user, so the block goes by another of hers.
    bea = await sent(http, "POST", USERS, json={**body, "name": "Bea"})
    as_bea = {"user_id": bea["id"]}
    assert await status(http, "DELETE", f"/v1/blocks/{made['id']}", headers=as_bea) == 200
    limit = {"json": {"limit_usd": 5}, "headers": as_bea}
    await sent(http, "PUT", "/v1/budgets/organization/month", **limit)
    await sent(http, "DELETE", USERS, params={"user_id": bea["id"]})
    assert await sent(http, "DELETE", ORGS, params=org_id) == moved


async def test_lists_are_paged_from_the_oldest(http: httpx.AsyncClient) -> None:
    orgs = [await sent(http, "POST", ORGS, json={}) for _ in range(2)]
    assert len({org["name"] for org in orgs}) == 2
    ids = [DEFAULT_ORGANIZATION, *(org["id"] for org in orgs)]
    listed = (await http.get(ORGS)).json()
    assert [org["id"] for org in listed] == ids
    page = (await http.get(ORGS, params={"limit": 1, "after": ids[0]})).json()
    assert [org["id"] for org in page] == [ids[1]]
    assert await status(http, "GET", ORGS, params={"after": "org-1"}) == 404
    users = (await http.get(USERS)).json()
    assert [user["id"] for user in users] == [DEFAULT_USER]
    assert (await http.get(USERS, params={"after": DEFAULT_USER})).json() == []


@pytest.mark.parametrize(
    ("method", "path", "more", "expected"),
    [
        ("DELETE", USERS, {"params": {"user_id": DEFAULT_USER}}, 400),
        ("DELETE", ORGS, {"params": {"org_id": DEFAULT_ORGANIZATION}}, 400),
        ("DELETE", USERS, {"params": {"user_id": "me"}}, 422),
        ("DELETE", USERS, {"params": {"user_id": DEFAULT_USER[:-1] + "9"}}, 404),
        ("DELETE", ORGS, {"params": {"org_id": "org-1"}}, 404),
        ("PATCH", ORGS, {"params": {"org_id": "org-1"}, "json": {"name": "x"}}, 404),
        ("PUT", USERS, {"json": {"id": DEFAULT_USER[:-1] + "9", "name": "x"}}, 404),
        ("POST", USERS, {"json": {"name": "x", "organization_id": "org-1"}}, 404),
        ("POST", USERS, {"json": {"name": "x"}}, 422),
        ("POST", USERS, {"json": {"name": "x", "organization_id": "o", "role": "y"}}, 422),
        ("POST", ORGS, {"json": {"privileged_tools": True}}, 422),
    ],
)
async def test_what_is_refused(
    http: httpx.AsyncClient, method: str, path: str, more: Json, expected: int
) -> None:
    assert await status(http, method, path, **more) == expected
