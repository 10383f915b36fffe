"""The server is killed at any point of any turn, again and again; nothing is lost or done twice.

`EUNOE_CRASHES` says how often (50), `EUNOE_CRASH_SEED` repeats a run of this test.
"""

import asyncio
import os
import random
import secrets
import signal
from collections import Counter

import pytest

from tests.crash.checks import check
from tests.crash.load import Load
from tests.crash.nursery import METHODS
from tests.crash.servers import Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CRASHES = int(os.environ.get("EUNOE_CRASHES", "50"))
# Nobody uploads a file here: a server that is to die over one would be waited for in vain.
METHODS_HERE = [name for name in METHODS if name != "advance"]
_OFTEN = 5
"""A server comes by a place hardly more often before its time is up."""
SEED = int(os.environ.get("EUNOE_CRASH_SEED", secrets.randbelow(1_000_000)))


async def crash(servers: Servers, chance: random.Random) -> str:
    """Start a server and have it die; return how."""
    if chance.random() < 0.5:
        nth = chance.randint(1, _OFTEN)
        point = f"{chance.choice(('before', 'after'))}:{chance.choice(METHODS_HERE)}:{nth}"
        await servers.start(point=point)
        if await servers.gone(within_s=2):
            return point
    else:
        await servers.start()
        if chance.random() < 0.8:
            await servers.up()
        await asyncio.sleep(chance.uniform(0.0, 0.8))
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
    print(dict(Counter(turn.kind for turn in load.turns)))  # noqa: T201 -- how to repeat it, and what it tried
    print(dict(sorted(ways.items())))  # noqa: T201 -- how to repeat it, and what it tried
    counts = await check(load, database_url)
    print(counts)  # noqa: T201 -- how to repeat it, and what it tried
