"""The server dies while it begins what is due; it is begun all the same, once."""

import asyncio
import time

import httpx
import pytest

from eunoe.domain.messages import Json
from tests.crash.servers import START_S, Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def made(client: httpx.AsyncClient) -> str:
    body = {"model": "openai/scripted-1", "include_base_tools": False}
    agent: Json = (await client.post("/v1/agents/", json=body)).json()
    agent_id: str = agent["id"]
    return agent_id


async def restarted(servers: Servers) -> None:
    assert await servers.gone(within_s=START_S)
    await servers.start()
    await servers.up()


async def heard(client: httpx.AsyncClient, agent_id: str) -> list[str]:
    """Return what the agent has been told, once none of its runs goes on any more."""
    async with asyncio.timeout(START_S):
        while True:
            runs = (await client.get("/v1/runs/", params={"agent_id": agent_id})).json()
            if runs and all(run["status"] == "completed" for run in runs):
                break
    said = (await client.get(f"/v1/agents/{agent_id}/messages", params={"limit": 100})).json()
    told = [one["content"] for one in said if one["message_type"] == "user_message"]
    assert len(runs) == len(told)
    return told


@pytest.mark.rule("G-9", "api-25.1")
@pytest.mark.parametrize("point", ["before:submit:1", "after:submit:1"])
async def test_a_schedule_that_is_due_survives_the_process(servers: Servers, point: str) -> None:
    await servers.start(point=point)
    await servers.up()
    async with httpx.AsyncClient(base_url=servers.url, timeout=START_S) as client:
        agent_id = await made(client)
        soon = {"scheduled_at": (time.time() + 1) * 1_000}
        body = {"input": "On time.", "schedule": soon}
        reply = await client.post(f"/v1/agents/{agent_id}/schedule", json=body)
        assert reply.status_code == 201, reply.text
        await restarted(servers)
        assert await heard(client, agent_id) == ["On time."]


@pytest.mark.rule("G-9", "G-21")
@pytest.mark.parametrize("point", ["after:submit:2"])
async def test_a_batch_survives_the_process(servers: Servers, point: str) -> None:
    await servers.start(point=point)
    await servers.up()
    async with httpx.AsyncClient(base_url=servers.url, timeout=START_S) as client:
        agents = [await made(client) for _ in range(2)]
        requests = [
            {"agent_id": agent_id, "input": f"Number {place}."}
            for place in range(2)
            for agent_id in agents
        ]
        sent = client.post("/v1/messages/batches", json={"requests": requests})
        await asyncio.gather(sent, return_exceptions=True)
        await restarted(servers)
        async with asyncio.timeout(START_S):
            while True:
                (batch,) = (await client.get("/v1/messages/batches")).json()
                if batch["status"] != "running":
                    break
        assert batch["status"] == "completed"
        assert {item["status"] for item in batch["metadata"]["items"]} == {"completed"}
        for agent_id in agents:
            assert await heard(client, agent_id) == ["Number 0.", "Number 1."]
