"""The server is asked to stop in the middle of its work: what can end ends, the rest is handed over."""

import asyncio
import signal
from typing import Final

import pytest

from tests.crash.checks import check
from tests.crash.load import DONE, Load, Turn
from tests.crash.nursery import GRACE_S
from tests.crash.servers import Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_STOPS: Final = 4
# Open connections have the grace to end, then runs have it, and a busy machine is slow.
_STOPPED_S: Final = 2 * GRACE_S + 10


async def taken(load: Load, said: str) -> Turn:
    """Return a turn with `said` that streams tokens, yet to be sent."""
    turn = Turn(agent_id=await load.agent(plain=True), number=1, kind="tokens", text=said)
    load.turns.append(turn)
    return turn


@pytest.mark.rule("G-1", "G-8")
async def test_what_ends_within_the_grace_is_streamed_to_its_end(
    servers: Servers, database_url: str
) -> None:
    await servers.start()
    load = Load(servers, seed=1)
    turn = await taken(load, "SLOW 50 SAY one two three four five six seven")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.see_to_the_end(turn))
        await asyncio.wait_for(turn.begun.wait(), 30)
        await servers.signal(signal.SIGTERM, within_s=_STOPPED_S)
        assert turn.frames[-1] == DONE
        await servers.start()
    await check(load, database_url)


@pytest.mark.rule("G-1", "G-3", "G-4", "G-8")
async def test_what_takes_longer_is_handed_over_and_can_be_read_on(
    servers: Servers, database_url: str
) -> None:
    await servers.start()
    load = Load(servers, seed=1)
    words = " ".join(map(str, range(30)))
    turn = await taken(load, f"SLOW 200 SAY {words}")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.see_to_the_end(turn))
        await asyncio.wait_for(turn.begun.wait(), 30)
        await servers.signal(signal.SIGTERM, within_s=_STOPPED_S)
        await servers.start()

    assert turn.readings > 1
    await check(load, database_url)


@pytest.mark.rule("G-1", "G-2", "G-3", "G-4", "G-17")
async def test_stopped_under_load_it_loses_nothing(servers: Servers, database_url: str) -> None:
    await servers.start()
    load = Load(servers, seed=2)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        for _ in range(_STOPS):
            await servers.up()
            await asyncio.sleep(0.3)
            await servers.signal(signal.SIGTERM, within_s=_STOPPED_S)
            await servers.start()
        load.stop()
    await check(load, database_url)
