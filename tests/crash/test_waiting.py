"""The server is killed around a request for approval: it waits, and its call is run once at most."""

import signal
from typing import Any, Final

import httpx
import pytest

from eunoe.domain.messages import Json
from eunoe.store import lists
from eunoe.store.database import opened
from eunoe.store.db import Actor
from tests.crash.invariants import faults
from tests.crash.load import Clients
from tests.crash.servers import START_S, Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_TRIES: Final = 50
_CAREFUL: Final[Json] = {"type": "requires_approval", "tool_name": "append_counter"}


async def insisted(clients: Clients, method: str, path: str, body: Json | None = None) -> Any:
    """Return the answer to a request that is sent again until a living server takes it."""
    for _ in range(_TRIES):
        try:
            reply = await clients.http.request(method, path, json=body)
            if reply.status_code == 409 and "run_id" in reply.json():
                # Its own first try, which goes on: wait for the end of it.
                await clients.http.post(f"/v1/runs/{reply.json()['run_id']}/stream", json={})
                continue
        except httpx.TransportError:
            if await clients.servers.gone(within_s=1):
                await clients.servers.start()
            continue
        assert reply.status_code == 200, reply.text
        return reply.json()
    raise AssertionError(f"no server took {method} {path}")


@pytest.mark.rule("H34", "H24", "G-1", "G-2", "G-3", "G-14", "G-17")
async def test_a_request_for_approval_outlives_the_server(
    servers: Servers, database_url: str
) -> None:
    await servers.start(point="after:answered:1")
    started = servers.started_at
    clients = Clients(servers)
    body: Json = {"model": "openai/scripted-1", "tools": ["append_counter"]}
    agent = await insisted(clients, "POST", "/v1/agents/", {**body, "tool_rules": [_CAREFUL]})
    agent_id: str = agent["id"]
    path = f"/v1/agents/{agent_id}"
    say = {
        "messages": [
            {"role": "user", "content": 'CALL append_counter {"line": "once"}', "otid": "1"}
        ]
    }
    await insisted(clients, "POST", f"{path}/messages", say)
    if servers.started_at == started:
        assert await servers.gone(within_s=START_S)
        await servers.start()
    agent = await insisted(clients, "GET", f"{path}?include=agent.pending_approval")
    call_id = agent["pending_approval"]["tool_call"]["tool_call_id"]
    yes = {"type": "approval", "tool_call_id": call_id, "approve": True}
    answer = {"messages": [{"type": "approval", "approvals": [yes]}]}
    await insisted(clients, "POST", f"{path}/messages", answer)
    assert started < servers.started_at
    await clients.http.aclose()
    await servers.signal(signal.SIGTERM)
    assert servers.counted.read_text().splitlines() == ["once"]
    async with opened(database_url) as db:
        assert await faults(db) == []
        async with db.read(Actor()) as tx:
            window = await lists.window(tx, agent_id)
    returns = [result for message in window for result in message.returns]
    (returned,) = [result for result in returns if result.call_id == call_id]
    assert returned.ok or "unknown" in str(returned.output)
    assert sum(bool(message.approvals) for message in window) == 1
