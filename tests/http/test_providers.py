"""Providers that callers bring: kept without showing their keys, and used at once."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from letta_client import AsyncLetta

from eunoe.domain.messages import Json
from eunoe.store.db import Actor, Database
from eunoe.testing.http_server import serving
from eunoe.testing.model_server import ModelServer, ServerOptions
from tests.fixtures.apis import Api
from tests.runs.conftest import World

pytestmark = pytest.mark.anyio

KEY = "sk-hunter2-of-ada"
OTHERS = {"user_id": "user-00000000-0000-4000-8000-000000000007"}
UNKNOWN = "/v1/providers/provider-00000000-0000-4000-8000-000000000009"


@pytest.fixture
async def theirs() -> AsyncGenerator[str]:
    """The caller's own provider, which wants its key."""
    server = ModelServer(ServerOptions(models=("their-model", "their-embedding"), api_key=KEY))
    async with serving(server.answer) as url:
        yield f"{url}/v1"


def body(url: str, **fields: Any) -> Json:
    return {"name": "mine", "provider_type": "openai", "api_key": KEY, "base_url": url} | fields


async def with_others(db: Database) -> None:
    async with db.write(Actor()) as tx:
        await tx.execute(
            "INSERT INTO organizations (id, name, created_at) VALUES ('org-other', 'x', 0)"
        )
        await tx.execute(
            "INSERT INTO users (id, organization_id, name, created_at)"
            " VALUES ($1, 'org-other', 'x', 0)",
            OTHERS["user_id"],
        )


@pytest.mark.rule("api-18.1", "api-18.2", "api-18.3", "P2", "api-17.2")
async def test_a_provider_is_listed_with_its_models_and_never_its_key(
    api: Api, theirs: str
) -> None:
    made = await api.made("/v1/providers/", **body(theirs, api_key=f" {KEY} "))

    assert (made["provider_category"], made["base_url"]) == ("byok", theirs)
    assert made["last_synced"] is not None
    assert await api.got("/v1/providers/") == [made]
    assert await api.got(f"/v1/providers/{made['id']}") == made
    assert await api.got("/v1/providers/", name="yours") == []
    assert await api.got("/v1/providers/", provider_type="openai") == [made]
    models = await api.got("/v1/models/", provider_category="byok")
    assert [(one["handle"], one["provider_category"]) for one in models] == [
        ("mine/their-model", "byok")
    ]
    base = await api.got("/v1/models/", provider_category="base")
    assert {one["provider_name"] for one in base} == {"openai"}
    every = await api.got("/v1/models/")
    assert await api.got("/v1/models/", provider_category=["base", "byok"]) == every
    assert [one for one in every if one not in models] == base
    assert await api.got("/v1/models/", provider_name="mine") == models
    assert await api.got("/v1/models/", provider_type="openai") == every
    assert await api.got("/v1/models/", provider_type="vllm") == []
    assert await api.got("/v1/models/", provider_category="base", provider_name="mine") == []
    async with api.db.read(Actor()) as tx:
        rows = await tx.fetch("SELECT * FROM providers")
    assert KEY not in f"{made}{[list(row) for row in rows]}"


@pytest.mark.rule("api-18.3", "api-18.6", "api-3.4")
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "openai"}, 400),
        ({"name": "a/b"}, 422),
        ({"api_key": "  "}, 400),
        ({"api_key": "ключ"}, 400),
        ({"access_key": "a\nb"}, 400),
        ({"provider_type": "unheard_of"}, 422),
        ({"colour": "red"}, 422),
        ({"provider_type": "vllm", "base_url": ""}, 400),
        ({"provider_type": "bedrock"}, 400),
        ({"provider_type": "bedrock", "access_key": "a", "region": "r"}, 400),
        ({"provider_type": "google_vertex"}, 400),
        ({"base_url": "file:///etc/passwd"}, 400),
        ({"base_url": "http://169.254.169.254/latest"}, 400),
        ({"base_url": "http://[::ffff:169.254.169.254]"}, 400),
        ({"base_url": "http://user:pass@host/v1"}, 400),
        ({"base_url": "http://host:port/v1"}, 400),
    ],
)
async def test_what_can_never_be_asked_is_refused(
    api: Api, theirs: str, fields: Json, status: int
) -> None:
    reply = await api.sdk.post("/v1/providers/", json=body(theirs, **fields))

    assert reply.status_code == status, reply.text
    assert KEY not in reply.text
    assert await api.got("/v1/providers/") == []


@pytest.mark.rule("api-18.3", "api-18.5")
async def test_a_name_is_taken_once_and_a_deleted_one_comes_back(api: Api, theirs: str) -> None:
    made = await api.made("/v1/providers/", **body(theirs))
    agent = await api.agent(model="mine/their-model")
    again = await api.sdk.post("/v1/providers/", json=body(theirs))
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")

    gone = await api.sdk.delete(f"/v1/providers/{made['id']}")

    assert (gone.status_code, list(gone.json())) == (200, ["message"])
    assert await api.got("/v1/providers/") == []
    assert await api.got("/v1/models/", provider_category="byok") == []
    assert (await api.got(f"/v1/agents/{agent['id']}"))["model"] == "mine/their-model"
    async with api.db.read(Actor()) as tx:
        assert await tx.fetch_value("SELECT api_key_sealed FROM providers") is None
    back = await api.made("/v1/providers/", **body(theirs))
    assert back["id"] == made["id"]
    noted = await api.got("/v1/audit", action="provider.create")
    assert {one["object_id"] for one in noted} == {made["id"]}


@pytest.mark.rule("api-18.4", "api-18.6", "api-18.7")
async def test_a_wrong_key_is_told_and_put_right(api: Api, theirs: str) -> None:
    given = {name: body(theirs)[name] for name in ("provider_type", "api_key", "base_url")}
    good = await api.sdk.post("/v1/providers/check", json=given)
    bad = await api.sdk.post("/v1/providers/check", json=given | {"api_key": "sk-wrong-key"})
    made = await api.made("/v1/providers/", **body(theirs, api_key="sk-wrong-key"))
    path = f"/v1/providers/{made['id']}"
    stored = await api.sdk.post(f"{path}/check")
    refreshed = await api.sdk.patch(f"{path}/refresh")

    assert (good.status_code, bad.status_code) == (200, 401)
    assert (stored.status_code, refreshed.status_code) == (401, 401)
    assert "[BYOK]" in bad.text
    assert "sk-wrong-key" not in bad.text + stored.text
    assert made["last_synced"] is None

    changed = await api.sdk.patch(path, json={"api_key": KEY})
    assert (changed.status_code, changed.json()["base_url"]) == (200, theirs)
    assert (await api.sdk.post(f"{path}/check")).status_code == 200
    assert (await api.sdk.patch(f"{path}/refresh")).json()["last_synced"] is not None
    assert (await api.sdk.patch(path, json={})).status_code == 422


@pytest.mark.rule("api-2.8", "api-18.2")
async def test_each_organization_has_its_own(api: Api, theirs: str) -> None:
    made = await api.made("/v1/providers/", **body(theirs))
    await with_others(api.db)

    async def asked(method: str, path: str, **options: Any) -> httpx.Response:
        return await api.sdk.request(method, path, headers=OTHERS, **options)

    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/check"), ("PATCH", "/refresh")):
        assert (await asked(method, f"/v1/providers/{made['id']}{path}")).status_code == 404
        assert (await api.sdk.request(method, UNKNOWN + path)).status_code == 404
    refused = await asked("POST", "/v1/agents/", json={"model": "mine/their-model"})
    assert refused.status_code == 404
    assert (await asked("GET", "/v1/models/", params={"provider_category": "byok"})).json() == []
    own = await asked("POST", "/v1/providers/", json=body(theirs, api_key="another"))
    assert own.json()["id"] != made["id"]
    assert (await api.sdk.post(f"/v1/providers/{made['id']}/check")).status_code == 200


@pytest.mark.rule("P2", "api-17.1", "api-18.5", "api-22", "api-25.1")
async def test_an_agent_speaks_through_it_at_once_and_no_longer_when_it_is_gone(
    world: World, letta: AsyncLetta, http: httpx.AsyncClient, theirs: str
) -> None:
    made = (await http.post("/v1/providers/", json=body(theirs))).json()
    agent = await letta.agents.create(model="mine/their-model", include_base_tools=False)
    said: Any = await letta.agents.messages.create(agent.id, input="SAY tea")

    assert [one.content for one in said.messages if one.message_type == "assistant_message"] == [
        "tea"
    ]
    assert (await letta.agents.retrieve(agent.id)).llm_config.provider_category == "byok"
    (step,) = (await letta.steps.list(agent_id=agent.id)).items
    assert (step.provider_category, step.provider_name) == ("byok", "openai")
    asked: Any = {"messages": [{"role": "user", "content": "Hi."}], "override_model": agent.model}
    batch = {"requests": [asked | {"agent_id": agent.id}]}
    assert (await http.post("/v1/messages/batches", json=batch)).status_code == 200
    later = asked | {"schedule": {"scheduled_at": 4e12}}
    reply = await http.post(f"/v1/agents/{agent.id}/schedule", json=later)
    assert reply.status_code == 201, reply.text

    await http.delete(f"/v1/providers/{made['id']}")
    gone = await http.post(f"/v1/agents/{agent.id}/messages", json={"input": "SAY tea"})
    assert gone.status_code == 404, gone.text
