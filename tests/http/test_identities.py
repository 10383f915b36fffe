"""Identities: whom agents and blocks belong to, and finding those by it."""

from typing import Any

import pytest
from letta_client import AsyncLetta, BadRequestError, NotFoundError
from letta_client.types.agent_state import Identity

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.store.db import Actor
from tests.fixtures.apis import Api

pytestmark = pytest.mark.anyio

UNKNOWN = "identity-00000000-0000-4000-8000-000000000009"
OTHERS = {"user_id": "user-00000000-0000-4000-8000-000000000007"}


@pytest.fixture
def client(api: Api) -> AsyncLetta:
    return AsyncLetta(
        base_url="http://eunoe",
        http_client=api.sdk,
        max_retries=0,
        api_key="any",
        _strict_response_validation=True,
    )


async def made(api: Api, key: str = "ada", **body: Any) -> Json:
    fields = {"identifier_key": key, "name": key.title(), "identity_type": "user"} | body
    return await api.made("/v1/identities/", **fields)


async def put(api: Api, path: str, body: Any) -> Json:
    reply = await api.sdk.put(path, json=body)
    assert reply.status_code == 200, reply.text
    answer: Json = reply.json()
    return answer


async def ids_at(api: Api, path: str, **params: Any) -> list[str]:
    return [one["id"] for one in await api.got(path, **params)]


@pytest.mark.rule("api-21.1", "api-2.1", "api-3.1")
async def test_an_identity_is_made_read_and_deleted(api: Api) -> None:
    properties = [
        {"key": "age", "value": 36, "type": "number"},
        {"key": "of", "value": {"a": [1]}, "type": "json"},
    ]
    one = await made(api, properties=properties, project_id="p")

    Identity.model_validate(one, strict=True)
    assert ids.is_id("identity", one["id"])
    assert (one["agent_ids"], one["block_ids"], one["properties"]) == ([], [], properties)
    assert await api.got(f"/v1/identities/{one['id']}") == one
    assert await api.got("/v1/identities/count") == 1

    gone = await api.sdk.delete(f"/v1/identities/{one['id']}")
    assert (gone.status_code, gone.json()) == (200, None)
    assert (await api.sdk.get(f"/v1/identities/{one['id']}")).status_code == 404
    assert (await api.sdk.delete(f"/v1/identities/{one['id']}")).status_code == 404


@pytest.mark.rule("api-21.2")
async def test_a_key_is_unique_in_its_project(api: Api) -> None:
    await made(api)
    other = await made(api, project_id="p")

    again = await api.sdk.post("/v1/identities/", json={
        "identifier_key": "ada", "name": "x", "identity_type": "org"
    })  # fmt: skip
    renamed = await api.sdk.patch(f"/v1/identities/{other['id']}", json={"identifier_key": "bob"})
    third = await made(api, "bob")
    clash = await api.sdk.patch(f"/v1/identities/{third['id']}", json={"identifier_key": "ada"})

    assert (again.status_code, renamed.status_code, clash.status_code) == (409, 200, 409)
    assert clash.headers["x-should-retry"] == "false"


@pytest.mark.rule("api-21.3")
async def test_put_makes_or_replaces_all_but_the_blocks(api: Api) -> None:
    first, second = (await api.agent())["id"], (await api.agent())["id"]
    block = (await api.block("human"))["id"]
    body = {"identifier_key": "ada", "name": "Ada", "identity_type": "user", "project_id": "p"}

    one = await put(api, "/v1/identities/", body | {"agent_ids": [first], "block_ids": [block]})
    again = await put(
        api, "/v1/identities/", body | {"name": "A", "identity_type": "org", "agent_ids": [second]}
    )

    assert (again["id"], again["name"], again["identity_type"]) == (one["id"], "A", "org")
    assert await ids_at(api, f"/v1/identities/{one['id']}/agents") == [second]
    assert await ids_at(api, f"/v1/identities/{one['id']}/blocks") == [block]


@pytest.mark.rule("api-21.4", "api-21.7")
async def test_a_patch_merges_properties_and_adds_who_belongs_to_it(api: Api) -> None:
    first, second = (await api.agent())["id"], (await api.agent())["id"]
    tea = {"key": "drink", "value": "tea", "type": "string"}
    wild = {"key": "wild", "value": True, "type": "boolean"}
    one = await made(api, properties=[tea], agent_ids=[first])
    path = f"/v1/identities/{one['id']}"

    changed = await api.sdk.patch(
        path, json={"properties": [wild, tea | {"value": "mate"}], "agent_ids": [second]}
    )

    assert changed.json()["properties"] == [tea | {"value": "mate"}, wild]
    assert await ids_at(api, f"{path}/agents") == [second, first]
    assert await ids_at(api, f"{path}/agents", limit=1, order="asc") == [first]
    raw = {"key": "raw", "value": "[1]", "type": "json"}
    assert (await put(api, f"{path}/properties", [wild, raw]))["properties"] == [wild, raw]


@pytest.mark.rule("api-21.5", "api-3.2", "api-2.3")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"agent_ids": ["agent-00000000-0000-4000-8000-000000000009"]}, 404),
        ({"block_ids": ["block-00000000-0000-4000-8000-000000000009"]}, 404),
        ({"agent_ids": ["nonsense"]}, 422),
        ({"colour": "red"}, 422),
        ({"properties": [{"key": "age", "value": "36", "type": "number"}]}, 422),
        ({"properties": [{"key": "age", "value": True, "type": "number"}]}, 422),
        ({"identity_type": "alien"}, 422),
    ],
)
async def test_what_cannot_be_made_leaves_nothing(api: Api, body: Json, status: int) -> None:
    fields = {"identifier_key": "ada", "name": "Ada", "identity_type": "user"} | body
    reply = await api.sdk.post("/v1/identities/", json=fields)

    assert reply.status_code == status, reply.text
    assert await api.got("/v1/identities/count") == 0


@pytest.mark.rule("api-21.6", "api-5.6", "api-5.11")
async def test_identities_are_listed_by_filters_and_pages(api: Api) -> None:
    made_ids = [
        (await made(api, "ada"))["id"],
        (await made(api, "ada-2", project_id="p", identity_type="org"))["id"],
        (await made(api, "bob"))["id"],
    ]
    asked: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [2, 1, 0]),
        ({"order": "asc", "limit": 2}, [0, 1]),
        ({"after": made_ids[2]}, [1, 0]),
        ({"name": "ADA"}, [1, 0]),
        ({"identifier_key": "ada"}, [0]),
        ({"identity_type": "org"}, [1]),
        ({"project_id": "p"}, [1]),
    ]
    for params, places in asked:
        expected = [made_ids[place] for place in places]
        assert await ids_at(api, "/v1/identities/", **params) == expected, params
    unknown = await api.sdk.get("/v1/identities/", params={"after": UNKNOWN})
    assert unknown.status_code == 404


@pytest.mark.rule("api-6.70", "api-2.2")
async def test_agents_are_attached_and_detached_idempotently(api: Api, client: AsyncLetta) -> None:
    agent, one = (await api.agent())["id"], (await made(api))["id"]

    for _ in range(2):
        assert await client.agents.identities.attach(one, agent_id=agent) is None
    shown = await client.agents.retrieve(agent, include=["agent.identities"])
    assert ([held.id for held in shown.identities or []], shown.identity_ids) == ([one], [one])
    assert (await client.agents.retrieve(agent)).identities == []
    for _ in range(2):
        assert await client.agents.identities.detach(one, agent_id=agent) is None
    assert await ids_at(api, f"/v1/identities/{one}/agents") == []

    with pytest.raises(NotFoundError):
        await client.agents.identities.attach(UNKNOWN, agent_id=agent)
    with pytest.raises(NotFoundError):
        await client.agents.identities.detach(one, agent_id=agent.replace(agent[-4:], "0000"))
    with pytest.raises(BadRequestError):
        await client.agents.identities.attach("nonsense", agent_id=agent)


@pytest.mark.rule("api-12.50")
async def test_blocks_are_attached_and_detached_idempotently(api: Api) -> None:
    block, one = (await api.block("human"))["id"], (await made(api))["id"]
    found: list[list[str]] = []
    for deed in ("attach", "attach", "detach", "detach"):
        reply = await api.sdk.patch(f"/v1/blocks/{block}/identities/{deed}/{one}")
        assert (reply.status_code, reply.json()["id"]) == (200, block)
        found.append(await ids_at(api, "/v1/blocks/", identity_id=one))
    assert found == [[block], [block], [], []]
    assert (await api.sdk.patch(f"/v1/blocks/{block}/identities/attach/x")).status_code == 400


@pytest.mark.rule("api-6.4", "api-12.2", "api-6.30", "api-6.3")
async def test_agents_and_blocks_are_found_by_whom_they_belong_to(
    api: Api, client: AsyncLetta
) -> None:
    ada, bob = (await made(api, "ada"))["id"], (await made(api, "bob"))["id"]
    block = (await api.block("human"))["id"]
    await api.sdk.patch(f"/v1/blocks/{block}/identities/attach/{bob}")
    agent = await client.agents.create(identity_ids=[ada, ada])
    await api.agent()
    assert agent.identity_ids == [ada]

    changed = await client.agents.update(agent.id, identity_ids=[bob])

    assert [one.identifier_key for one in changed.identities or []] == ["bob"]
    for params, number in (
        ({"identity_id": bob}, 1),
        ({"identity_id": ada}, 0),
        ({"identifier_keys": ["bob", "eve"]}, 1),
        ({"identifier_keys": ["ada"]}, 0),
    ):
        assert len(await api.got("/v1/agents/", **params)) == number, params
        assert await api.got("/v1/agents/count", **params) == number, params
        assert len(await api.got("/v1/blocks/", **params)) == number, params
    with pytest.raises(NotFoundError):
        await client.agents.update(agent.id, identity_ids=[UNKNOWN], name="Changed")
    kept = await client.agents.update(agent.id, name="Ada")
    assert kept.identity_ids == [bob]


@pytest.mark.rule("api-21.6", "api-6.45")
async def test_links_go_with_either_side(api: Api, client: AsyncLetta) -> None:
    one = (await made(api))["id"]
    agent, other = (await api.agent(identity_ids=[one]))["id"], (await api.agent())["id"]
    await client.agents.identities.attach(one, agent_id=other)

    await client.agents.delete(agent)
    assert await ids_at(api, f"/v1/identities/{one}/agents") == [other]
    await api.sdk.delete(f"/v1/identities/{one}")

    assert (await client.agents.retrieve(other, include=["agent.identities"])).identities == []


@pytest.mark.rule("api-2.8", "api-1.11")
async def test_another_organization_sees_none_of_it(api: Api) -> None:
    one, agent = (await made(api))["id"], (await api.agent())["id"]
    async with api.db.write(Actor()) as tx:
        await tx.execute(
            "INSERT INTO organizations (id, name, created_at) VALUES ('org-other', 'x', 0)"
        )
        await tx.execute(
            "INSERT INTO users (id, organization_id, name, created_at)"
            " VALUES ($1, 'org-other', 'x', 0)",
            OTHERS["user_id"],
        )

    async def status(method: str, path: str, **options: Any) -> int:
        return (await api.sdk.request(method, path, headers=OTHERS, **options)).status_code

    assert await status("GET", f"/v1/identities/{one}") == 404
    assert await status("PATCH", f"/v1/identities/{one}", json={"name": "x"}) == 404
    assert await status("DELETE", f"/v1/identities/{one}") == 404
    assert await status("PATCH", f"/v1/agents/{agent}/identities/attach/{one}") == 404
    assert (await api.sdk.get("/v1/identities/count", headers=OTHERS)).json() == 0
