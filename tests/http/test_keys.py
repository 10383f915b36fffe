"""Keys: what each scope opens, whose things it sees, how long it lasts, and when it was used."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from letta_client import AuthenticationError, NotFoundError, PermissionDeniedError

from eunoe import ids
from eunoe.domain.keys import Scope
from eunoe.http.api import Policy, build_api
from eunoe.ids import DEFAULT_USER
from eunoe.service import keys, users
from eunoe.store.db import Actor, now_micros
from tests.fixtures.apis import SDK, Api
from tests.http.test_access_tokens import client_of

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-1.11")]

UNKNOWN = "agent-00000000-0000-4000-8000-000000000009"


def _never() -> Any:
    raise AssertionError("its runtime is open already")


@pytest.fixture
def app(api: Api) -> FastAPI:
    """The same server, which wants a key."""
    app = build_api(_never, version="0", policy=Policy(require_key=True))
    app.state.runtime = api.runtime
    return app


@pytest.fixture
async def http(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://eunoe",
        headers=SDK,
        follow_redirects=True,
    ) as client:
        yield client


async def key_for(api: Api, scope: Scope = "admin", **options: Any) -> str:
    text, _ = await keys.create(api.db, name="a key", scope=scope, **options)
    return text


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def test_without_a_key_nobody_gets_in(api: Api, http: httpx.AsyncClient) -> None:
    text = await key_for(api)
    for wrong in ("", "any", text[:-1], f"{text}x", "eunoe-sk-", "eunoe-at-x", text.upper()):
        with pytest.raises(AuthenticationError):
            await client_of(http, wrong or " ").agents.list()
        reply = await http.get("/v1/agents/", headers=bearer(wrong))
        assert (reply.status_code, reply.json()) == (401, {"detail": "Unauthorized"})
    assert (await http.get("/v1/agents/")).status_code == 401
    assert (await http.get("/openapi.json")).status_code == 401
    assert (await http.get("/v1/health/")).status_code == 200
    assert (await client_of(http, text).agents.list()).items == []


async def test_a_key_is_shown_once_and_what_is_kept_opens_nothing(
    api: Api, http: httpx.AsyncClient
) -> None:
    admin = bearer(await key_for(api))
    body = {"name": "app", "scope": "run", "expires_at": "2099-01-01"}
    reply = await http.post("/v1/keys/", json=body, headers=admin)
    made = reply.json()
    text = made.pop("key")
    assert (reply.status_code, made["scope"], made["user_id"]) == (201, "run", DEFAULT_USER)
    assert made["expires_at"].startswith("2099-01-01")
    listed = (await http.get("/v1/keys/", headers=admin)).json()
    assert listed[0] == made
    async with api.db.read(Actor()) as tx:
        rows = [list(row) for row in await tx.fetch("SELECT * FROM api_keys")]
    assert text not in str(rows)
    assert len(listed) == len(rows) == 2

    client = client_of(http, text)
    await client.agents.list()
    used = (await http.get("/v1/keys/", headers=admin)).json()[0]["last_used_at"]
    assert datetime.now(UTC) - datetime.fromisoformat(used) < timedelta(minutes=1)
    await client.agents.list()
    again = (await http.get("/v1/keys/", headers=admin)).json()[0]["last_used_at"]
    assert again == used
    async with api.db.write(Actor()) as tx:
        earlier = now_micros() - 61_000_000
        await tx.execute("UPDATE api_keys SET last_used_at = $1", earlier)
    await client.agents.list()
    later = (await http.get("/v1/keys/", headers=admin)).json()[0]["last_used_at"]
    assert later > used

    gone = await http.delete(f"/v1/keys/{made['id']}", headers=admin)
    assert (gone.status_code, gone.content) == (204, b"")
    with pytest.raises(AuthenticationError):
        await client.agents.list()
    assert (await http.delete(f"/v1/keys/{made['id']}", headers=admin)).status_code == 404


@pytest.mark.parametrize(("scope", "opens"), [("read", 1), ("run", 2), ("write", 3), ("admin", 4)])
async def test_each_scope_opens_what_it_says(
    api: Api, http: httpx.AsyncClient, scope: Scope, opens: int
) -> None:
    agent = (await api.agent(secrets={"KEY": "hunter2"}))["id"]
    headers = bearer(await key_for(api, scope))
    deeds = [
        ("GET", f"/v1/agents/{agent}", None),
        ("POST", f"/v1/agents/{agent}/messages/async", {"input": "Hi"}),
        ("PATCH", f"/v1/agents/{agent}", {"name": "Bea"}),
        ("GET", "/v1/admin/users/", None),
    ]
    allowed: list[bool] = []
    for method, path, body in deeds:
        reply = await http.request(method, path, json=body, headers=headers)
        allowed.append(reply.status_code == 200)
        if reply.status_code != 200:
            assert reply.status_code == 403
            detail: str = reply.json()["detail"]
            assert detail.startswith("PERMISSION_DENIED: This takes a key with the scope ")
    assert allowed == [place < opens for place in range(4)]
    shown = await http.get(
        f"/v1/agents/{agent}", params={"include": "agent.secrets"}, headers=headers
    )
    assert ("hunter2" in shown.text) == (opens >= 3)


async def test_a_key_of_one_agent_opens_nothing_beside_it(
    api: Api, http: httpx.AsyncClient
) -> None:
    mine, other = (await api.agent())["id"], (await api.agent())["id"]
    block = (await api.block("human"))["id"]
    talks = {
        agent: (await api.made(f"/v1/conversations/?agent_id={agent}"))["id"]
        for agent in (mine, other)
    }
    kept: dict[str, Any] = {
        agent: await api.made(f"/v1/agents/{agent}/archival-memory", text="x")
        for agent in (mine, other)
    }
    client = client_of(http, await key_for(api, "write", agent_ids=[mine]))
    assert (await client.agents.retrieve(mine)).id == mine
    assert (await client.conversations.retrieve(talks[mine])).id == talks[mine]
    for refused in (
        client.agents.retrieve(other),
        client.agents.list(),
        client.agents.create(),
        client.conversations.retrieve(talks[other]),
        client.conversations.retrieve(ids.new("conversation")),
        client.agents.blocks.attach(block, agent_id=mine),
        client.blocks.retrieve(block),
        client.conversations.create(agent_id=mine),
    ):
        with pytest.raises(PermissionDeniedError):
            await refused
    headers = client.auth_headers
    for path in (
        f"/v1/agents/{mine}/archival-memory/{kept[other][0]['id']}",
        f"/v1/agents/{mine}/schedule/{ids.new('schedule')}",
    ):
        assert (await http.delete(path, headers=headers)).status_code == 404
    for path in (
        f"/v1/agents/{mine}/context?conversation_id={talks[other]}",
        f"/v1/agents/{mine}/export?conversation_id={talks[other]}",
    ):
        assert (await http.get(path, headers=headers)).status_code == 404, path
    said = await http.get(
        f"/v1/agents/{mine}/messages?conversation_id={talks[other]}", headers=headers
    )
    assert said.json() == []
    await client.agents.passages.delete(kept[mine][0]["id"], agent_id=mine)


async def test_a_key_acts_as_its_user_whoever_is_named(api: Api, http: httpx.AsyncClient) -> None:
    organization = await users.create_organization(api.db, name="Else")
    bea = await users.create(api.db, name="Bea", organization_id=organization.id)
    hers = client_of(http, await key_for(api, "write", user_id=bea.id))
    block = await hers.blocks.create(label="human", value="Hers.")
    mine = bearer(await key_for(api, "write"))
    admin = bearer(await key_for(api))
    path = f"/v1/blocks/{block.id}"
    as_bea = {"user_id": bea.id}
    assert (await http.get(path, headers=mine | as_bea)).status_code == 404
    assert (await http.get(path, headers=admin)).status_code == 404
    assert (await http.get(path, headers=admin | as_bea)).status_code == 200
    as_me = {"user_id": DEFAULT_USER}
    assert (await http.get(path, headers=hers.auth_headers | as_me)).status_code == 200
    foreign = await api.agent(name="Not hers")
    said = {"messages": [{"role": "user", "content": "Hello."}], "user": DEFAULT_USER}
    talk = f"/v1/voice-beta/{foreign['id']}/chat/completions"
    assert (await http.post(talk, json=said, headers=hers.auth_headers)).status_code == 404
    assert (await http.post(talk, json=said, headers=mine)).status_code == 400

    whole = client_of(http, await key_for(api, "read", organization_id=organization.id))
    assert (await whole.blocks.retrieve(block.id)).value == "Hers."
    with pytest.raises(NotFoundError):
        await client_of(http, await key_for(api, "read")).blocks.retrieve(block.id)
    await users.delete(api.db, bea.id)
    with pytest.raises(AuthenticationError):
        await hers.blocks.retrieve(block.id)


async def test_a_key_ends_when_it_was_said_to(api: Api, http: httpx.AsyncClient) -> None:
    text = await key_for(api, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await http.get("/v1/agents/", headers=bearer(text))).status_code == 200
    async with api.db.write(Actor()) as tx:
        await tx.execute("UPDATE api_keys SET expires_at = $1", now_micros())
    assert (await http.get("/v1/agents/", headers=bearer(text))).status_code == 401
    assert await keys.create_first(api.db) is not None
    assert await keys.create_first(api.db) is None


@pytest.mark.rule("api-3.2")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"name": "x", "scope": "root"}, 422),
        ({"name": "x", "surprise": 1}, 422),
        ({"name": "x", "agent_ids": ["me"]}, 422),
        ({"name": "x", "agent_ids": [UNKNOWN]}, 404),
        ({"name": "x", "scope": "admin", "agent_ids": [UNKNOWN]}, 400),
        ({"name": "x", "expires_at": "2001-01-01"}, 400),
        ({"name": "x", "user_id": DEFAULT_USER[:-1] + "9"}, 404),
        ({"name": "x", "organization_id": f"org-{DEFAULT_USER[5:-1]}9"}, 404),
        (
            {"name": "x", "user_id": DEFAULT_USER, "organization_id": f"org-{DEFAULT_USER[5:-1]}9"},
            400,
        ),
    ],
)
async def test_what_no_key_can_be_is_refused(
    api: Api, http: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    reply = await http.post("/v1/keys/", json=body, headers=bearer(await key_for(api)))
    assert reply.status_code == status, reply.text


@pytest.mark.rule("api-3.2")
async def test_who_asks_too_often_waits(api: Api) -> None:
    app = build_api(_never, version="0", policy=Policy(rate_per_minute=6, rate_burst=3))
    app.state.runtime = api.runtime
    eager, other = await key_for(api), await key_for(api)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://eunoe"
    ) as http:
        statuses = [
            (await http.get("/v1/agents/", headers=bearer(eager))).status_code for _ in range(4)
        ]
        assert statuses == [200, 200, 200, 429]
        refused = await http.get("/v1/agents/", headers=bearer(eager))
        assert refused.json()["detail"].startswith("RATE_LIMIT_EXCEEDED: ")
        assert refused.headers["x-should-retry"] == "true"
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        assert (await http.get("/v1/agents/", headers=bearer(other))).status_code == 200
        assert (await http.get("/v1/agents/")).status_code == 200
        assert (await http.get("/v1/health/", headers=bearer(eager))).status_code == 200
