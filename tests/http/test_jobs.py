"""Jobs: runs and batches in one list (api 19.5)."""

import asyncio

import httpx
import pytest

from eunoe.domain.messages import Json
from eunoe.store.db import Actor
from tests.http.test_batches import asking, batched, got
from tests.runs.conftest import ACTOR, World

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-19.5")]

FIELDS = sorted(
    [
        "agent_id",
        "background",
        "callback_error",
        "callback_sent_at",
        "callback_status_code",
        "callback_url",
        "completed_at",
        "created_at",
        "created_by_id",
        "id",
        "job_type",
        "last_updated_by_id",
        "metadata",
        "status",
        "stop_reason",
        "total_duration_ns",
        "ttft_ns",
        "updated_at",
    ]
)


async def listed(http: httpx.AsyncClient, path: str = "/v1/jobs/", **params: object) -> list[str]:
    reply = await http.get(path, params={name: str(value) for name, value in params.items()})
    assert reply.status_code == 200, reply.text
    return [job["id"] for job in reply.json()]


async def test_runs_and_batches_are_listed_together(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    first = (await world.submit(agent, "Hello.")).run.id
    await world.runner.fold(ACTOR, first)
    batch = (await batched(http, asking(agent.id)))["id"]
    last = (await world.submit(agent, "CALL wait {}")).run.id
    everything = [last, batch, first]
    assert await listed(http) == everything
    assert await listed(http, order="asc") == everything[::-1]
    assert await listed(http, order="asc", ascending=False) == everything
    assert await listed(http, limit=1, after=last) == [batch]
    assert await listed(http, before=batch) == [last]
    assert await listed(http, active=True) == [last, batch]
    assert await listed(http, "/v1/jobs/active") == [last, batch]
    assert await listed(http, source_id="source-1") == []
    refused = await http.get("/v1/jobs/", params={"after": batch.replace("job", "run")})
    assert refused.status_code == 400
    run = await got(http, f"/v1/jobs/{first}")
    assert sorted(run) == FIELDS
    assert (run["job_type"], run["status"], run["agent_id"]) == ("run", "completed", agent.id)
    assert sorted(await got(http, f"/v1/jobs/{batch}")) == FIELDS
    world.tools.gate.set()
    await world.runner.fold(ACTOR, last)


async def test_a_job_is_stopped_once_and_then_removed(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    batch = (await batched(http, asking(agent.id)))["id"]
    run = (await world.submit(agent, "CALL wait {}")).run.id
    await asyncio.wait_for(world.tools.entered.wait(), 20)
    for job_id in (run, batch):
        early = await http.delete(f"/v1/jobs/{job_id}")
        assert early.status_code == 400
        assert (await http.patch(f"/v1/jobs/{job_id}/cancel")).status_code == 200
    await world.runner.fold(ACTOR, run)
    for job_id in (run, batch):
        again: Json = (await http.patch(f"/v1/jobs/{job_id}/cancel")).json()
        assert (again["id"], again["status"]) == (job_id, "cancelled")
        gone = await http.delete(f"/v1/jobs/{job_id}")
        assert gone.json() == again
        assert (await http.get(f"/v1/jobs/{job_id}")).status_code == 404
    assert await listed(http) == []


@pytest.mark.rule("api-2.2", "api-2.8")
async def test_jobs_of_others_and_none_are_not_there(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    batch = (await batched(http, asking(agent.id)))["id"]
    stranger = Actor(
        organization_id="org-00000000-0000-4000-8000-000000000009",
        user_id="user-00000000-0000-4000-8000-000000000009",
    )
    async with world.db.write(ACTOR) as tx:
        await tx.execute(
            "INSERT INTO organizations (id, name, created_at) VALUES ($1, 'Else', 0)",
            stranger.organization_id,
        )
        await tx.execute(
            "INSERT INTO users (id, organization_id, name, created_at) VALUES ($1, $2, 'She', 0)",
            stranger.user_id,
            stranger.organization_id,
        )
    as_her = {"user_id": stranger.user_id}
    for path in (f"/v1/jobs/{batch}", f"/v1/messages/batches/{batch}"):
        assert (await http.get(path)).status_code == 200
        assert (await http.get(path, headers=as_her)).status_code == 404
        assert (await http.patch(f"{path}/cancel", headers=as_her)).status_code == 404
    assert (await http.get("/v1/jobs/", headers=as_her)).json() == []
    malformed = await http.get("/v1/jobs/message-1")
    assert (malformed.status_code, malformed.json()["examples"][0][:4]) == (422, "job-")
