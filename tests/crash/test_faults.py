"""The fault matrix: wherever a run is, however it was sent and whatever fails, nothing is lost.

A lot has an agent at each point of streaming 10.3 (see `points`) and a few anywhere, through all
entrances in turn. When every one of them is held where it is wanted, the fault strikes them all,
and once more those that are just being recovered; each is a case. A lot follows from its seed:

    EUNOE_CRASH_SEED=… EUNOE_CRASH_LOT=… pytest "tests/crash/test_faults.py::…"

repeats the one that these were printed for. `EUNOE_CRASHES` says how many cases there are to be.
"""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import Iterable
from typing import Final

import pytest

from eunoe.store.db import Dialect
from tests.crash.checks import check_callbacks, check_rows, check_turns
from tests.crash.faults import ARRIVAL_S, Scene, strike
from tests.crash.load import Clients, Turn
from tests.crash.points import ANYWHERE, FAULTS, POINTS, Case, Fault, Lot
from tests.crash.servers import Servers
from tests.http.calling import receiving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CASES: Final = int(os.environ.get("EUNOE_CRASHES", "210"))
SEED: Final = int(os.environ.get("EUNOE_CRASH_SEED", secrets.randbelow(1_000_000)))
ONE: Final = os.environ.get("EUNOE_CRASH_LOT")
_ANYWHERE: Final = 4
_MATRIX: Final = [(dialect, fault) for dialect, faults in FAULTS.items() for fault in faults]


def numbers() -> Iterable[int]:
    """Return the lots: as many as make up the cases, or the one that is to be repeated."""
    return [int(ONE)] if ONE else range(-(-CASES // (len(POINTS) * len(_MATRIX))))


@pytest.mark.rule("G-1", "G-2", "G-3", "G-4", "G-5", "G-6", "G-8", "G-9", "G-10", "G-13", "G-14")
@pytest.mark.rule("G-17", "G-20", "H24", "H34")
@pytest.mark.parametrize(("dialect", "fault"), _MATRIX)
async def test_whatever_fails_wherever_a_run_is_nothing_is_lost_or_done_twice(
    servers: Servers, dialect: Dialect, fault: Fault
) -> None:
    turns: list[Turn] = []
    clients = Clients(servers)
    await servers.start()
    await servers.up()
    async with receiving() as receiver, clients.http:
        for number in numbers():
            chance = random.Random(f"{SEED} {number}")  # noqa: S311 -- to be repeated, not to be secret
            lot = Lot(
                number=number,
                dialect=dialect,
                fault=fault,
                chance=chance,
                clients=clients,
                receiver=f"{receiver.url}/{number}",
            )
            print(f"EUNOE_CRASH_SEED={SEED} EUNOE_CRASH_LOT={number}")  # noqa: T201 -- how to repeat it
            struck = await under_fault(lot, servers)
            turns += struck
            await check_turns(clients, struck)
            await check_callbacks(receiver, struck)
        await servers.signal(signal.SIGTERM, within_s=30)
    counted = servers.counted.read_text().splitlines() if servers.counted.exists() else []
    found = await check_rows(servers.database_url, turns, counted)
    read_on, tried = (
        sum(turn.readings > 1 for turn in turns),
        sum(turn.tries > 0 for turn in turns),
    )
    print(f"{len(turns)} cases, {read_on} read on, {tried} tried again; {found}")  # noqa: T201 -- what it tried


async def under_fault(lot: Lot, servers: Servers) -> list[Turn]:
    """Bring every agent of the lot to its place, strike, and see all turns to their end."""
    cases = await asyncio.gather(*map(lot.case, [*lot.points, *[ANYWHERE] * _ANYWHERE]))
    turns: dict[Case, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:

        async def begin(some: Iterable[Case]) -> None:
            begun = list(some)
            for case in begun:
                turns[case] = tasks.create_task(lot.clients.see_to_the_end(case.turn))
            await arrived(begun)

        await begin(one for one in cases if one.hold is not None and not one.in_transaction)
        await begin(one for one in cases if one.hold is None)
        await asyncio.sleep(lot.chance.uniform(0.0, 0.15))
        await begin(one for one in cases if one.in_transaction)
        scene = Scene(servers=servers, clients=lot.clients, chance=lot.chance, turns=turns)
        await strike(lot.fault, scene)
    servers.gates.open_all()
    return [case.turn for case in cases]


async def arrived(cases: Iterable[Case]) -> None:
    for case, hold in ((case, case.hold) for case in cases):
        if hold is not None:
            try:
                await asyncio.wait_for(hold.arrived.wait(), ARRIVAL_S)
            except TimeoutError:
                raise AssertionError(f"{case.turn.label} did not come to its place") from None
