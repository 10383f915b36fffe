"""Secrets of agents: shown to whoever asks, sealed where they are stored, never logged."""

import logging
from typing import Any

import pytest
from letta_client import AsyncLetta, NotFoundError
from letta_client.types import AgentState

from eunoe import ids
from eunoe.domain.drafts import AgentDraft, AgentPatch
from eunoe.store import related, secrets
from eunoe.store.db import Actor
from eunoe.store.rotation import rotate
from eunoe.store.sealing import Sealer, new_key
from eunoe.store.secrets import values_of
from eunoe.wire.agent_requests import CreateAgentBody
from tests.fixtures.apis import Api

pytestmark = pytest.mark.anyio

WANTED = {"include": "agent.secrets"}


def shown(agent: AgentState) -> dict[str, str]:
    assert agent.secrets == agent.tool_exec_environment_variables
    return {one.key: one.value for one in agent.secrets or []}


@pytest.fixture
def client(api: Api) -> AsyncLetta:
    return AsyncLetta(
        base_url="http://eunoe",
        http_client=api.sdk,
        max_retries=0,
        api_key="any",
        _strict_response_validation=True,
    )


@pytest.mark.rule("api-6.14", "api-6.30", "api-6.3", "api-4.4")
async def test_secrets_are_set_replaced_and_cleared_whole(api: Api, client: AsyncLetta) -> None:
    made = await client.agents.create(secrets={"KEY": "hunter2", "URL": "http://x"})
    assert shown(made) == {"KEY": "hunter2", "URL": "http://x"}
    assert {one.value_enc for one in made.secrets or []} == {None}
    assert ids.is_id("secret", str((made.secrets or [])[0].id))

    assert shown(await client.agents.retrieve(made.id)) == {}
    asked = await client.agents.retrieve(made.id, include=["agent.secrets"])
    assert asked.secrets == made.secrets

    renamed = await client.agents.update(made.id, name="Ada")
    assert shown(renamed) == {"KEY": "hunter2", "URL": "http://x"}
    changed = await client.agents.update(made.id, secrets={"KEY": "hunter3"})
    assert shown(changed) == {"KEY": "hunter3"}
    assert (changed.secrets or [])[0].id == (made.secrets or [])[0].id

    assert shown(await client.agents.update(made.id, secrets={})) == {}
    (listed,) = await api.got("/v1/agents/", **WANTED)
    assert listed["secrets"] == []


@pytest.mark.rule("api-6.14")
async def test_the_newer_name_wins(api: Api) -> None:
    older = await api.agent(tool_exec_environment_variables={"KEY": "old"})
    both = await api.agent(secrets={"KEY": "new"}, tool_exec_environment_variables={"KEY": "old"})

    assert [one["value"] for made in (older, both) for one in made["secrets"]] == ["old", "new"]


@pytest.mark.rule("api-6.14")
async def test_tools_get_the_values_and_the_database_only_sealed_ones(api: Api) -> None:
    made = await api.agent(secrets={"KEY": "hunter2"})

    async with api.db.read(Actor()) as tx:
        assert await values_of(tx, made["id"]) == {"KEY": "hunter2"}
        stored = await tx.fetch_value("SELECT sealed FROM agent_secrets")
    assert "hunter2" not in stored
    async with api.db.read(Actor(organization_id="org-of-others")) as tx:
        assert await values_of(tx, made["id"]) == {}


@pytest.mark.rule("api-6.45", "api-6.14")
async def test_secrets_go_with_their_agent(api: Api, client: AsyncLetta) -> None:
    made = await api.agent(secrets={"KEY": "hunter2"})

    await client.agents.delete(made["id"])

    with pytest.raises(NotFoundError):
        await client.agents.retrieve(made["id"])
    async with api.db.read(Actor()) as tx:
        assert await tx.fetch_value("SELECT COUNT(*) FROM agent_secrets") == 0


@pytest.mark.rule("api-6.14")
async def test_values_show_in_no_repr_and_no_log(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await api.agent(secrets={"KEY": "hunter2"})
    await api.sdk.post("/v1/agents/", json={"secrets": {"KEY": "hunter2"}, "name": "bad/name"})

    async with api.db.read(Actor()) as tx:
        (held,) = await related.of_one(tx, made["id"], secrets.OF_AGENT)
    values = {"KEY": "hunter2"}
    said: list[object] = [held, AgentDraft(secrets=values), AgentPatch(secrets=values)]
    said.append(CreateAgentBody.model_validate({"secrets": values}))
    assert "hunter2" not in f"{said}{caplog.text}"


@pytest.mark.rule("api-6.14")
async def test_a_new_key_takes_over_what_an_old_one_sealed(api: Api) -> None:
    made = await api.agent(secrets={"A": "tea", "B": ""})
    old, new = new_key(), new_key()
    async with api.db.write(Actor()) as tx:
        tx.sealer = Sealer([old])
        await secrets.replace(tx, made["id"], {"A": "tea", "B": ""})
    database: Any = api.db

    refused = await api.sdk.get(f"/v1/agents/{made['id']}", params=WANTED)
    assert refused.status_code == 503
    assert "EUNOE_ENCRYPTION_KEY" in refused.json()["detail"]
    lost = await rotate(database)
    database.sealer = Sealer([new, old])
    done = await rotate(database)
    database.sealer = Sealer([new])

    assert (lost.renewed, lost.unreadable) == (0, 2)
    assert (done.renewed, done.unreadable) == (2, 0)
    found = await api.got(f"/v1/agents/{made['id']}", **WANTED)
    assert [(one["key"], one["value"]) for one in found["secrets"]] == [("A", "tea"), ("B", "")]
