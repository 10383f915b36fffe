"""How servers fail: killed, told to stop, cut off from their database, or hanging while others go on."""

import asyncio
import random
import signal
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, assert_never

from eunoe.store.postgresql_connection import session
from eunoe.store.sqlite_connection import begin_patiently, connect
from tests.crash.gates import Hold
from tests.crash.load import Clients
from tests.crash.nursery import GRACE_S
from tests.crash.points import Case, Fault
from tests.crash.servers import Servers

ARRIVAL_S: Final = 30
# Open connections have the grace to end, then runs have it, and a busy machine is slow.
_STOPPED_S: Final = 2 * GRACE_S + 20
# Longer than these servers wait for the file.
_LOCKED_S: Final = 0.7
_MORE_CUTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Turns that are under way, each held at its place, or anywhere."""

    servers: Servers
    clients: Clients
    chance: random.Random
    turns: Mapping[Case, "asyncio.Task[None]"]

    @property
    def held(self) -> list[tuple[Case, Hold]]:
        return [(case, case.hold) for case in self.turns if case.hold is not None]

    def let_go(self, cases: Iterable[Case] | None = None) -> None:
        for case in self.turns if cases is None else cases:
            if case.hold is not None:
                case.hold.opened.set()

    async def recovering(self) -> list[Hold]:
        """Wait until the next owner has begun with those that it is to be struck at, and return these.

        One that the fault did not harm has ended meanwhile.
        """
        found = [(case, case.again) for case in self.turns if case.again is not None]
        for case, again in found:
            arrived = asyncio.create_task(again.arrived.wait())
            await asyncio.wait(
                {arrived, self.turns[case]}, return_when="FIRST_COMPLETED", timeout=ARRIVAL_S
            )
            arrived.cancel()
        return [again for _, again in found]


async def strike(fault: Fault, scene: Scene) -> None:
    """Have the servers fail twice; when this returns there is one that works."""
    match fault:
        case "kill":
            await _killed(scene)
        case "stop":
            await _stopped(scene)
        case "cut" if scene.servers.database_url.startswith("sqlite"):
            await _locked(scene)
        case "cut":
            await _cut(scene)
        case "pause":
            await _paused(scene)
        case _:
            assert_never(fault)


async def _killed(scene: Scene) -> None:
    await scene.servers.signal(signal.SIGKILL)
    scene.let_go()
    await scene.servers.start()
    holds = await scene.recovering()
    await scene.servers.signal(signal.SIGKILL)
    _open(holds)
    await scene.servers.start()


async def _stopped(scene: Scene) -> None:
    """What was held in every other case can end in the grace; the rest is cut short."""
    ending = [
        case
        for place, (case, _) in enumerate(scene.held)
        if case.in_transaction or (place % 2 and case.again is None)
    ]
    scene.servers.tell(signal.SIGTERM)
    scene.let_go(ending)
    assert await scene.servers.gone(within_s=_STOPPED_S), "the server did not end"
    scene.let_go()
    await scene.servers.start()
    holds = await scene.recovering()
    await scene.servers.signal(signal.SIGTERM, within_s=_STOPPED_S)
    _open(holds)
    await scene.servers.start()


async def _cut(scene: Scene) -> None:
    await cut(scene.servers.database_url)
    scene.let_go()
    holds = await scene.recovering()
    await cut(scene.servers.database_url)
    _open(holds)
    for _ in range(_MORE_CUTS):
        await asyncio.sleep(scene.chance.uniform(0.0, 0.2))
        await cut(scene.servers.database_url)


async def _locked(scene: Scene) -> None:
    async with _lock(scene.servers.database_url):
        scene.let_go()
        await asyncio.sleep(_LOCKED_S)
    holds = await scene.recovering()
    async with _lock(scene.servers.database_url):
        _open(holds)
        await asyncio.sleep(_LOCKED_S)


async def _paused(scene: Scene) -> None:
    """The one that hangs holds what it holds; others end all that it has not locked."""
    for again in (False, True):
        holds = await scene.recovering() if again else []
        scene.servers.pause()
        scene.clients.lose()
        _open(holds)
        await scene.servers.start()
    await asyncio.wait([turn for case, turn in scene.turns.items() if not case.in_transaction])
    scene.servers.wake()
    scene.let_go()
    await asyncio.wait(scene.turns.values())
    await _harmless(scene)


async def _harmless(scene: Scene) -> None:
    """Wait until those that hung have found out that their runs are not theirs any more."""
    lost = {
        case.turn.run_id
        for case, hold in scene.held
        if hold.place in {"before:answered", "after:calls_started", "before:tool", "after:tool"}
    }
    log = scene.servers.folder / "log"
    async with asyncio.timeout(ARRIVAL_S):
        while lost:
            await asyncio.sleep(0.02)
            told = [line for line in log.read_text().splitlines() if "run.fence_lost" in line]
            lost = {one for one in lost if not any(str(one) in line for line in told)}
    await scene.servers.kill_awoken()


def _open(holds: Iterable[Hold]) -> None:
    for hold in holds:
        hold.opened.set()


async def cut(url: str) -> None:
    """End every connection of the servers to PostgreSQL, as a restart of it does."""
    async with session(url) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@asynccontextmanager
async def _lock(url: str) -> AsyncGenerator[None]:
    """Keep others from writing the file, as a backup of another program does."""
    other = connect(Path(url.removeprefix("sqlite:///")))
    await asyncio.to_thread(begin_patiently, other)
    try:
        yield
    finally:
        other.close()
