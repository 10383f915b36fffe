"""Access tokens: they open what they name, for a while, and nothing else."""

import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from letta_client import (
    AsyncLetta,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
)

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.errors import TokenScopeExceeded
from eunoe.http.api import Policy, build_api
from eunoe.http.scopes import EXEMPT
from eunoe.store.db import Actor
from tests.fixtures.apis import SDK, Api

pytestmark = pytest.mark.anyio

HOST = "https://app.example.org"
PASSWORD = "the password"  # noqa: S105 -- of this test alone
ALL: Any = ["read_messages", "write_messages", "read_agent", "write_agent"]


def client_of(http: httpx.AsyncClient, key: str, *, strict: bool = True) -> AsyncLetta:
    return AsyncLetta(
        base_url="http://eunoe",
        http_client=http,
        max_retries=0,
        api_key=key,
        _strict_response_validation=strict,
    )


@pytest.fixture
def app(api: Api) -> FastAPI:
    """The same server behind a password."""
    app = build_api(_never, version="0", policy=Policy(password=PASSWORD))
    app.state.runtime = api.runtime
    return app


@pytest.fixture
async def http(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://eunoe", headers=SDK, follow_redirects=True
    ) as client:
        yield client


def _never() -> Any:
    raise AssertionError("its runtime is open already")


@pytest.fixture
def owner(http: httpx.AsyncClient) -> AsyncLetta:
    return client_of(http, PASSWORD)


async def token_for(owner: AsyncLetta, agent_id: str, access: Any = ALL, **options: Any) -> str:
    made = await owner.access_tokens.create(
        hostname=HOST, policy=[{"type": "agent", "id": agent_id, "access": access}], **options
    )
    return made.token


@pytest.mark.rule("api-25.3", "api-28")
async def test_a_token_is_shown_once_listed_by_its_id_and_revoked(
    api: Api, owner: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent, other = (await api.agent())["id"], (await api.agent())["id"]
    made = await owner.access_tokens.create(
        hostname=HOST, policy=[{"type": "agent", "id": agent, "access": ["read_agent"]}]
    )
    await token_for(owner, other)

    left = datetime.fromisoformat(made.expires_at) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)
    assert (made.hostname, made.policy.version) == (HOST, "1")
    listed = await owner.access_tokens.list(agent_id=agent)
    assert (len(listed.tokens), listed.has_next_page) == (1, False)
    assert ids.is_id("access_token", listed.tokens[0].token)
    assert listed.tokens[0].policy.model_dump() == made.policy.model_dump()
    first = await owner.access_tokens.list(limit=1)
    rest = await owner.access_tokens.list(limit=1, offset=1)
    assert (first.has_next_page, rest.has_next_page) == (True, False)
    async with api.db.read(Actor()) as tx:
        rows = [list(row) for row in await tx.fetch("SELECT * FROM access_tokens")]
    assert made.token not in str(rows)

    reader = client_of(http, made.token)
    # An empty answer is of no content type, which the strict client wants of all.
    plain = client_of(http, PASSWORD, strict=False)
    assert (await reader.agents.retrieve(agent)).id == agent
    await plain.access_tokens.delete(listed.tokens[0].token)
    with pytest.raises(AuthenticationError):
        await reader.agents.retrieve(agent)
    with pytest.raises(NotFoundError):
        await plain.access_tokens.delete(made.token)
    again = await token_for(owner, agent)
    await plain.access_tokens.delete(again)
    assert (await owner.access_tokens.list(agent_id=agent)).tokens == []


@pytest.mark.rule("api-25.3")
async def test_each_access_opens_what_it_names(
    api: Api, owner: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent = (await api.agent(memory_blocks=[{"label": "human/x", "value": "Ada"}]))["id"]
    path = f"/v1/agents/{agent}"
    deeds = [
        ("read_agent", "GET", path),
        ("read_agent", "GET", f"{path}/core-memory/blocks/human/x"),
        ("read_agent", "GET", f"{path}/tools"),
        ("read_agent", "GET", f"{path}/archival-memory"),
        ("write_agent", "PATCH", path),
        ("write_agent", "PATCH", f"{path}/core-memory/blocks/human/x"),
        ("read_messages", "GET", f"{path}/messages"),
        ("write_messages", "PATCH", f"{path}/reset-messages"),
        ("write_messages", "POST", f"{path}/messages/cancel"),
    ]
    for access in ALL:
        key = await token_for(owner, agent, [access])
        for needed, method, where in deeds:
            reply = await http.request(
                method,
                where,
                headers={"Authorization": f"Bearer {key}"},
                json=None if method == "GET" else {},
            )
            assert (reply.status_code == 403) == (access != needed), (access, method, where)
            assert reply.status_code != 401
            if access != needed:
                assert reply.json()["detail"] == f"PERMISSION_DENIED: {TokenScopeExceeded()}"


@pytest.mark.rule("api-25.3")
async def test_every_route_that_is_not_named_is_closed(
    api: Api, app: FastAPI, owner: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent, other = (await api.agent())["id"], (await api.agent())["id"]
    headers = {"Authorization": f"Bearer {await token_for(owner, agent)}"}
    opened: set[str] = set()
    for route in app.routes:
        template = str(getattr(route, "path", ""))
        for method in getattr(route, "methods", None) or ():
            for agent_id in (agent, other):
                path = re.sub(r"\{agent_id\}", agent_id, template)
                path = re.sub(r"[{}]", "", path)
                reply = await http.request(method, path, headers=headers)
                if reply.status_code != 403 and template not in EXEMPT:
                    assert agent_id == agent, path
                    opened.add(f"{method} {template.removeprefix('/v1/agents/')}")
    assert opened == {
        "GET {agent_id}",
        "PATCH {agent_id}",
        "GET {agent_id}/archival-memory",
        "POST {agent_id}/archival-memory",
        "GET {agent_id}/archival-memory/search",
        "DELETE {agent_id}/archival-memory/{memory_id}",
        "GET {agent_id}/context",
        "GET {agent_id}/core-memory",
        "GET {agent_id}/core-memory/blocks",
        "GET {agent_id}/core-memory/blocks/",
        "GET {agent_id}/core-memory/blocks/{block_label:path}",
        "PATCH {agent_id}/core-memory/blocks/{block_label:path}",
        "GET {agent_id}/messages",
        "POST {agent_id}/messages",
        "POST {agent_id}/messages/cancel",
        "POST {agent_id}/messages/stream",
        "POST {agent_id}/recompile",
        "PATCH {agent_id}/reset-messages",
        "POST {agent_id}/summarize",
        "GET {agent_id}/tools",
    }


@pytest.mark.rule("api-25.3", "api-6.14")
async def test_a_token_sees_no_secrets_and_is_nobody_else(
    api: Api, owner: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent = (await api.agent(secrets={"KEY": "hunter2"}))["id"]
    key = await token_for(owner, agent)
    headers = {"Authorization": f"Bearer {key}", "user_id": "user-of-somebody-else"}
    path = f"/v1/agents/{agent}"

    read = await http.get(path, params={"include": "agent.secrets"}, headers=headers)
    changed = await http.patch(path, json={"name": "Ada"}, headers=headers)
    legacy = await api.legacy.get(path, headers=headers)

    assert (read.status_code, changed.status_code, legacy.status_code) == (200, 200, 200)
    assert "hunter2" not in read.text + changed.text + legacy.text
    assert (await owner.agents.retrieve(agent, include=["agent.secrets"])).secrets


@pytest.mark.rule("api-25.3", "api-1.11")
async def test_paths_that_are_written_otherwise_open_nothing_more(
    api: Api, owner: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent = (await api.agent())["id"]
    block = (await api.block("human"))["id"]
    headers = {"Authorization": f"Bearer {await token_for(owner, agent)}"}
    attach = f"/v1/agents/{agent}/core-memory/blocks/attach/{block}"
    for written in (
        attach,
        attach.replace("attach/", "att%00ach/"),
        attach.replace("attach/", "attach%2F"),
        attach.replace("/v1/", "/latest/"),
    ):
        assert (await http.patch(written, headers=headers)).status_code == 403, written
    same = await http.get(f"/latest/agents/{agent}", headers=headers)
    assert same.status_code == 200


@pytest.mark.rule("api-25.3")
async def test_a_token_is_for_its_application_and_time(
    api: Api, owner: AsyncLetta, http: httpx.AsyncClient
) -> None:
    agent = (await api.agent())["id"]
    key = await token_for(owner, agent, expires_at="2099-01-01T00:00:00Z")
    path, headers = f"/v1/agents/{agent}", {"Authorization": f"Bearer {key}"}
    for origin, status in ((HOST, 200), ("https://evil.example.org", 403), ("null", 403)):
        assert (await http.get(path, headers=headers | {"Origin": origin})).status_code == status

    async with api.db.write(Actor()) as tx:
        await tx.execute("UPDATE access_tokens SET expires_at = 1")
    assert (await http.get(path, headers=headers)).status_code == 401
    assert (await http.get(path, headers={"Authorization": f"Bearer {key}x"})).status_code == 401
    assert (await owner.access_tokens.list()).tokens == []


@pytest.mark.rule("api-25.3", "api-3.2")
async def test_what_no_token_can_be_for_is_refused(api: Api, owner: AsyncLetta) -> None:
    agent = (await api.agent())["id"]
    with pytest.raises(BadRequestError):
        await token_for(owner, agent, expires_at="2001-01-01")
    with pytest.raises(NotFoundError):
        await token_for(owner, "agent-00000000-0000-4000-8000-000000000009")
    good = {"hostname": HOST, "policy": [{"type": "agent", "id": agent, "access": ["read_agent"]}]}
    wrongs: list[Json] = [
        {"hostname": "app"},
        {"policy": []},
        {"policy": [{"type": "agent", "id": agent}]},
    ]
    for wrong in wrongs:
        reply = await api.sdk.post("/v1/client-side-access-tokens", json=good | wrong)
        assert reply.status_code == 422, wrong
    reader = client_of(api.sdk, await token_for(owner, agent))
    with pytest.raises(PermissionDeniedError):
        await token_for(reader, agent)
