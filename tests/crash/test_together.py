"""Approvals, heartbeats, calls side by side and sleeptime, all under way when the server dies.

`EUNOE_CRASHES` says how often it dies (3), `EUNOE_CRASH_SEED` repeats a run of this test.
"""

import asyncio
import os
import random
import secrets
import signal
import uuid
from collections import Counter
from typing import Any, Final

import httpx
import orjson
import pytest

from eunoe.domain.messages import Json, Message, text_of
from eunoe.store import lists
from eunoe.store.database import opened
from eunoe.store.db import Actor
from tests.crash.invariants import faults
from tests.crash.load import Load
from tests.crash.servers import Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CRASHES: Final = int(os.environ.get("EUNOE_CRASHES", "3"))
SEED: Final = int(os.environ.get("EUNOE_CRASH_SEED", secrets.randbelow(1_000_000)))
_CAREFUL: Final[Json] = {"type": "requires_approval", "tool_name": "append_counter"}
_AGENT: Final[Json] = {
    "model": "openai/scripted-1",
    "model_settings": {"provider_type": "openai", "parallel_tool_calls": True},
    "tools": ["append_counter", "conversation_search"],
    "memory_blocks": [{"label": "human", "value": "Bob"}],
    "initial_message_sequence": [],
    "include_base_tools": False,
    "tool_rules": [_CAREFUL],
}
_KINDS: Final[dict[str, Json]] = {
    "plain": {"agent_type": "letta_v1_agent"},
    "heartbeats": {
        "agent_type": "memgpt_agent",
        "tools": [*_AGENT["tools"], "send_message"],
    },
    "sleeptime": {"agent_type": "letta_v1_agent", "enable_sleeptime": True},
}


class Talk:
    """One agent and who talks to it, whatever becomes of the server."""

    def __init__(self, client: httpx.AsyncClient, kind: str, agent: Json) -> None:
        self.kind = kind
        self.agent_id: str = agent["id"]
        self.said: list[str] = []
        self.lines: list[str] = []
        self.followed: list[str] = []
        self._client = client

    async def turn(self) -> None:
        """Have two lines counted, the first approved of and the other not, and be answered."""
        lines = [f"{self.agent_id}:{len(self.said)}:{place}" for place in range(2)]
        calls: list[Json] = [
            {"name": "append_counter", "arguments": {"line": one}} for one in lines
        ]
        if self.kind == "heartbeats":
            calls = calls[:1]  # It makes one call at a time.
        else:
            calls.append({"name": "conversation_search", "arguments": {"query": "tea"}})
        text = f"CALLS {orjson.dumps(calls).decode()}"
        self.said.append(text)
        asked = await self._sent({"role": "user", "content": text})
        assert asked["stop_reason"]["stop_reason"] == "requires_approval"
        (request,) = [
            m for m in asked["messages"] if m["message_type"] == "approval_request_message"
        ]
        self.lines.append(lines[0])
        approvals = [
            {
                "type": "approval",
                "tool_call_id": one["tool_call_id"],
                "approve": lines[0] in one["arguments"],
            }
            for one in request["tool_calls"]
        ]
        answer = await self._sent({"type": "approval", "approvals": approvals})
        assert answer["stop_reason"]["stop_reason"] == "end_turn"
        self.followed += answer["usage"]["run_ids"] or ()

    async def _sent(self, item: Json) -> Any:
        """Return the answer to what is sent under one otid until a living server has answered."""
        body = {"messages": [{**item, "otid": str(uuid.uuid4())}]}
        while True:
            try:
                reply = await self._client.post(f"/v1/agents/{self.agent_id}/messages", json=body)
            except httpx.TransportError:
                continue
            assert reply.status_code == 200, reply.text
            return reply.json()

    async def ended(self, run_id: str) -> None:
        """Follow a run to its end on whichever server lives; it has ended well."""
        while True:
            try:
                await self._client.post(f"/v1/runs/{run_id}/stream", json={})
                run = await self._client.get(f"/v1/runs/{run_id}")
            except httpx.TransportError:
                continue
            if run.status_code == 200 and run.json()["completed_at"]:
                assert run.json()["status"] == "completed", run.text
                return


@pytest.mark.rule("G-1", "G-2", "G-3", "G-5", "G-9", "G-14", "G-17", "H34")
async def test_killed_while_everything_is_under_way_at_once(
    servers: Servers, database_url: str
) -> None:
    print(f"EUNOE_CRASH_SEED={SEED} EUNOE_CRASHES={CRASHES}")  # noqa: T201 -- how to repeat it
    chance = random.Random(SEED)  # noqa: S311 -- to be repeated, not to be secret
    await servers.start()
    await servers.up()
    client = Load(servers, seed=SEED).client
    talks = [await _talk(client, kind) for kind in _KINDS]
    over = asyncio.Event()

    async def talking(talk: Talk) -> None:
        await talk.turn()
        while not over.is_set():
            await talk.turn()

    async with asyncio.TaskGroup() as tasks:
        for talk in talks:
            tasks.create_task(talking(talk))
        for _ in range(CRASHES):
            await asyncio.sleep(chance.uniform(0.1, 0.7))
            await servers.signal(signal.SIGKILL)
            await servers.start()
        over.set()
    for talk in talks:
        await talk.turn()
        for run_id in talk.followed:
            await talk.ended(run_id)
    await client.aclose()
    await servers.signal(signal.SIGTERM)
    counted = servers.counted.read_text().splitlines()
    assert [line for line, times in Counter(counted).items() if times > 1] == []
    assert any(talk.followed for talk in talks)
    async with opened(database_url) as db:
        assert await faults(db) == []
        async with db.read(Actor()) as tx:
            windows = [(await lists.window(tx, talk.agent_id))[0] for talk in talks]
    for talk, window in zip(talks, windows, strict=True):
        _check(talk, window, counted)


async def _talk(client: httpx.AsyncClient, kind: str) -> Talk:
    reply = await client.post("/v1/agents/", json={**_AGENT, **_KINDS[kind]})
    assert reply.status_code == 200, reply.text
    return Talk(client, kind, reply.json())


def _check(talk: Talk, window: list[Message], counted: list[str]) -> None:
    """What was said is there once and in order, and a call is said to have run only if it did."""
    said = [text_of(one) for one in window if one.role == "user" and one.step_id is None]
    assert [text for text in said if text.startswith("CALLS")] == talk.said
    own = [line for line in counted if line.startswith(talk.agent_id)]
    assert set(own) <= set(talk.lines)
    calls = {call.id: call.arguments for message in window for call in message.calls}
    for result in (one for message in window for one in message.returns):
        if result.name == "append_counter" and result.ok:
            assert any(f'"{line}"' in calls[result.call_id] for line in own)
