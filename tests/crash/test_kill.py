"""The server is killed at any point of any turn, again and again; nothing is lost or done twice.

`EUNOE_CRASHES` says how often (50), `EUNOE_CRASH_SEED` repeats a run of this test.
"""

import asyncio
import os
import random
import secrets
import signal
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from eunoe.domain.messages import Message, text_of
from eunoe.store import lists
from eunoe.store.database import opened
from eunoe.store.db import Actor
from eunoe.testing.model_server import ServerOptions, scripted_model_server
from tests.crash.invariants import faults
from tests.crash.load import DONE, Load, Turn, frames_of
from tests.crash.nursery import METHODS
from tests.crash.servers import Servers, nursery

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CRASHES = int(os.environ.get("EUNOE_CRASHES", "50"))
SEED = int(os.environ.get("EUNOE_CRASH_SEED", secrets.randbelow(1_000_000)))


@pytest.fixture
async def servers(database_url: str, tmp_path: Path) -> AsyncGenerator[Servers]:
    slow = ServerOptions(first_token_s=0.03, interval_s=0.003)
    async with (
        scripted_model_server(slow) as model_url,
        nursery(database_url, tmp_path, model_url=model_url) as running,
    ):
        yield running


async def crash(servers: Servers, chance: random.Random) -> str:
    """Start a server and have it die; return how."""
    if chance.random() < 0.4:
        nth = chance.randint(1, 12)
        point = f"{chance.choice(('before', 'after'))}:{chance.choice(METHODS)}:{nth}"
        await servers.start(point=point)
        if await servers.gone(within_s=3):
            return point
    else:
        await servers.start()
        if chance.random() < 0.8:
            await servers.up()
        await asyncio.sleep(chance.uniform(0.0, 1.2))
    await servers.signal(signal.SIGKILL)
    return "at a random moment"


@pytest.mark.rule("G-1", "G-2", "G-3", "G-4", "G-8", "G-10", "G-14", "G-17")
async def test_killed_at_any_point_it_loses_nothing_and_does_nothing_twice(
    servers: Servers, database_url: str
) -> None:
    print(f"EUNOE_CRASH_SEED={SEED} EUNOE_CRASHES={CRASHES}")  # noqa: T201 -- how to repeat it, and what it tried
    chance = random.Random(SEED)  # noqa: S311 -- to be repeated, not to be secret
    await servers.start()
    await servers.up()
    load = Load(servers, seed=SEED)
    ways: Counter[str] = Counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        await asyncio.sleep(0.5)
        await servers.signal(signal.SIGKILL)
        for _ in range(CRASHES - 1):
            ways[await crash(servers, chance)] += 1
        await servers.start()
        load.stop()
    interrupted = [turn for turn in load.turns if turn.readings > 1]
    print(f"{len(load.turns)} turns on {len(load.agents)} agents, {len(interrupted)} re-attached")  # noqa: T201 -- how to repeat it, and what it tried
    print(dict(ways))  # noqa: T201 -- how to repeat it, and what it tried
    for turn in load.turns:
        await check_stream(load, turn)
    await check_agents_go_on(load)
    await load.client.aclose()
    await servers.signal(signal.SIGTERM)

    async with opened(database_url) as db:
        assert await faults(db) == []
        async with db.read(Actor()) as tx:
            windows = {one: (await lists.window(tx, one))[0] for one in load.agents}
    check_inputs(load.turns, windows)
    check_calls(load.turns, windows, servers.counted.read_text().splitlines())


async def check_stream(load: Load, turn: Turn) -> None:
    """What the client pieced together is what is on record, byte for byte (G-4, G-8)."""
    if turn.run_id is None:
        return
    run = (await load.client.get(f"/v1/runs/{turn.run_id}")).json()
    assert run["status"] == "completed", run
    if not turn.frames:
        return
    assert sum(b'"message_type":"stop_reason"' in frame for frame in turn.frames) == 1
    assert turn.frames.count(DONE) == 1
    assert turn.frames == await frames_of(load, turn.run_id)


async def check_agents_go_on(load: Load) -> None:
    """The next ordinary message is answered (G-14)."""
    for agent_id in load.agents:
        reply = await load.client.post(
            f"/v1/agents/{agent_id}/messages", json={"input": "SAY all is well"}
        )
        assert reply.status_code == 200, reply.text
        assert reply.json()["stop_reason"]["stop_reason"] == "end_turn"


def check_inputs(turns: list[Turn], windows: dict[str, list[Message]]) -> None:
    """Every message that was acknowledged is in the window, once and in order (G-3)."""
    for agent_id, window in windows.items():
        stored = [text_of(message) for message in window if message.role == "user"][:-1]
        assert len(set(stored)) == len(stored)
        own = [turn for turn in turns if turn.agent_id == agent_id]
        assert {turn.text for turn in own if turn.told} <= set(stored)
        assert [turn.text for turn in own if turn.text in stored] == stored


def check_calls(turns: list[Turn], windows: dict[str, list[Message]], counted: list[str]) -> None:
    """Every call ran once at most, and is said to have run only if it did (G-17)."""
    assert [line for line, times in Counter(counted).items() if times > 1] == []
    assert set(counted) <= {line for turn in turns for line in turn.lines}
    unknown = 0
    for window in windows.values():
        calls = {call.id: call for message in window for call in message.calls}
        for returned in (one for message in window for one in message.returns):
            if returned.name != "append_counter":
                continue
            ran = any(f'"{line}"' in calls[returned.call_id].arguments for line in counted)
            assert ran or not returned.ok
            unknown += not returned.ok
    print(f"{len(counted)} calls ran, {unknown} have an unknown outcome")  # noqa: T201 -- how to repeat it, and what it tried
