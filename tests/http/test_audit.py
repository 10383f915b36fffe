"""The audit log: every administrative action, who did it, and no secret in it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from eunoe.ids import DEFAULT_USER
from eunoe.runs.retention import Retention, sweep
from eunoe.service import access_tokens
from eunoe.store.db import Actor
from eunoe.store.rotation import rotate
from tests.fixtures.apis import Api

pytestmark = pytest.mark.anyio

AUDIT = "/v1/audit"
SECRET = "s3cret-value"  # noqa: S105 -- looked for, and never to be found


async def organizations_and_users(api: Api) -> list[tuple[str, str]]:
    org = await api.made("/v1/admin/orgs/", name="Else")
    user = await api.made("/v1/admin/users/", name="Ann", organization_id=org["id"])
    await api.sdk.put("/v1/admin/users/", json={"id": user["id"], "name": "Bea"})
    await api.sdk.delete("/v1/admin/users/", params={"user_id": user["id"]})
    await api.sdk.patch("/v1/admin/orgs/", params={"org_id": org["id"]}, json={"name": "New"})
    gone = await api.sdk.delete("/v1/admin/orgs/", params={"org_id": org["id"]})
    assert gone.status_code == 200
    return [
        ("organization.create", org["id"]),
        ("user.create", user["id"]),
        ("user.update", user["id"]),
        ("user.delete", user["id"]),
        ("organization.update", org["id"]),
        ("organization.delete", org["id"]),
    ]


async def agents_and_memory(api: Api) -> list[tuple[str, str]]:
    agent = await api.agent(secrets={"KEY": SECRET})
    block = await api.block("notes", "one")
    await api.sdk.patch(f"/v1/blocks/{block['id']}", json={"value": "two"})
    await api.sdk.post(f"/v1/blocks/{block['id']}/revert", json={"version": 1})
    await api.sdk.delete(f"/v1/blocks/{block['id']}")
    memory = f"/v1/agents/{agent['id']}/archival-memory"
    (passage,) = (await api.sdk.post(memory, json={"text": "Tea."})).json()
    await api.sdk.delete(f"{memory}/{passage['id']}")
    archive = await api.made("/v1/archives/", name="Texts")
    await api.sdk.delete(f"/v1/archives/{archive['id']}")
    await api.got(f"/v1/agents/{agent['id']}/export")
    await api.sdk.delete(f"/v1/agents/{agent['id']}")
    return [
        ("secrets.replace", agent["id"]),
        ("block.revert", block["id"]),
        ("block.delete", block["id"]),
        ("passage.delete", passage["id"]),
        ("archive.delete", archive["id"]),
        ("agent.export", agent["id"]),
        ("agent.delete", agent["id"]),
    ]


async def keys(api: Api) -> list[tuple[str, str]]:
    body = {"name": "mine", "provider_type": "openai", "api_key": SECRET}
    provider = await api.made("/v1/providers/", **body, base_url="http://127.0.0.1:9/v1")
    path = f"/v1/providers/{provider['id']}"
    await api.sdk.patch(path, json={"api_key": SECRET})
    await api.sdk.delete(path)
    agent = await api.agent()
    policy = [{"type": "agent", "id": agent["id"], "access": ["read_agent"]}]
    body = {"hostname": "https://a.example", "policy": policy}
    token = (await api.sdk.post("/v1/client-side-access-tokens", json=body)).json()
    await api.sdk.request("DELETE", f"/v1/client-side-access-tokens/{token['token']}", json={})
    await rotate(api.db)
    entries = await api.got(AUDIT, action="access_token.create")
    assert token["token"] not in str(await api.got(AUDIT))
    return [
        ("provider.create", provider["id"]),
        ("provider.update", provider["id"]),
        ("provider.delete", provider["id"]),
        ("access_token.create", entries[0]["object_id"]),
        ("access_token.revoke", access_tokens.digest_of(token["token"])),
        ("secrets.rotate", "all"),
    ]


@pytest.mark.rule("api-26")
@pytest.mark.parametrize("deeds", [organizations_and_users, agents_and_memory, keys])
async def test_what_is_administered_is_written_down_without_secrets(
    api: Api, deeds: Callable[[Api], Awaitable[list[tuple[str, str]]]]
) -> None:
    done = await deeds(api)
    entries = await api.got(AUDIT, order="asc")
    assert [(one["action"], one["object_id"]) for one in entries] == done
    assert {one["actor_id"] for one in entries} == {DEFAULT_USER}
    assert SECRET not in str(entries)


@pytest.mark.rule("api-26", "G-16")
async def test_the_log_is_paged_narrowed_and_says_which_request_it_was(api: Api) -> None:
    for number in range(3):
        made = await api.block(f"notes{number}")
        reply = await api.sdk.delete(
            f"/v1/blocks/{made['id']}", headers={"x-request-id": f"request-{number}"}
        )
        assert reply.status_code == 200
    newest = await api.got(AUDIT, limit=2)
    assert [one["request_id"] for one in newest] == ["request-2", "request-1"]
    (oldest,) = await api.got(AUDIT, after=newest[1]["id"])
    assert await api.got(AUDIT, object_id=oldest["object_id"]) == [oldest]
    assert await api.got(AUDIT, action="agent.delete") == []
    org = await api.made("/v1/admin/orgs/", name="Else")
    ann = await api.made("/v1/admin/users/", name="Ann", organization_id=org["id"])
    theirs = await api.sdk.get(AUDIT, headers={"user_id": ann["id"]})
    assert theirs.json() == []


@pytest.mark.rule("api-26")
async def test_a_deed_that_fails_leaves_no_entry_and_old_ones_go(api: Api) -> None:
    assert (await api.sdk.delete("/v1/agents/agent-00000000-0000-4000-8000-000000000009")).is_error
    assert await api.got(AUDIT) == []
    made = await api.block("notes")
    await api.sdk.delete(f"/v1/blocks/{made['id']}")
    kept = Retention(events=timedelta(hours=1), audit=timedelta(days=1))
    await sweep(api.db, kept)
    assert len(await api.got(AUDIT)) == 1
    await sweep(api.db, kept, now=datetime.now(UTC) + timedelta(days=2))
    assert await api.got(AUDIT) == []
    async with api.db.read(Actor()) as tx:
        assert await tx.fetch_value("SELECT COUNT(*) FROM audit_entries") == 0
