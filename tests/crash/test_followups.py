"""The server dies between a run's end and what follows it; it follows all the same, once."""

import asyncio

import httpx
import pytest

from eunoe.domain.messages import Json
from tests.crash.servers import START_S, Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def runs_of(client: httpx.AsyncClient, agent_id: str) -> list[Json]:
    reply = await client.get("/v1/runs/", params={"agent_id": agent_id})
    found: list[Json] = reply.json()
    return found


@pytest.mark.rule("G-9", "FIX-63")
@pytest.mark.parametrize(
    "point", ["before:begin:1", "after:begin:1", "before:answered:2", "after:answered:2"]
)
async def test_what_follows_a_run_survives_the_process(servers: Servers, point: str) -> None:
    await servers.start(point=point)
    await servers.up()
    async with httpx.AsyncClient(base_url=servers.url, timeout=START_S) as client:
        body = {"model": "openai/scripted-1", "enable_sleeptime": True}
        agent: Json = (await client.post("/v1/agents/", json=body)).json()
        (partner_id,) = agent["managed_group"]["agent_ids"]
        sent = client.post(f"/v1/agents/{agent['id']}/messages", json={"input": "Hello."})
        await asyncio.gather(sent, return_exceptions=True)
        assert await servers.gone(within_s=START_S)
        await servers.start()
        await servers.up()
        async with asyncio.timeout(START_S):
            while [one["status"] for one in await runs_of(client, partner_id)] != ["completed"]:
                continue
        (run,) = await runs_of(client, agent["id"])
        assert run["status"] == "completed"
        listed: list[Json] = (await client.get(f"/v1/agents/{partner_id}/messages")).json()
        kinds = [one["message_type"] for one in listed]
        assert kinds == ["system_message", "user_message", "assistant_message"]
