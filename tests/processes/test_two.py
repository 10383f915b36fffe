"""Two server processes on one PostgreSQL do what one would, and one goes on where the other fails."""

import asyncio
import statistics
import time
from collections import Counter
from typing import Final

import pytest

from eunoe.store.database import opened
from eunoe.store.db import Actor
from tests.crash.invariants import faults
from tests.http.calling import receiving
from tests.processes.conftest import DONE, PATIENCE_S, Process, body_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Pair = tuple[Process, Process]

_CANCELLED_S: Final = 2
_TAKEN_OVER_S: Final = 60
# Looking without being told happens every five seconds.
_LIVE_S: Final = 1
_WORDS: Final = " ".join(f"w{place}" for place in range(40))


async def owned(pair: Pair, text: str) -> str:
    """Return a run that belongs to the first process, which accepted it."""
    first, _ = pair
    return await first.begun(await first.agent(), text, background=False)


async def rows(url: str, run_id: str) -> list[tuple[object, ...]]:
    """Return all that a run has left behind."""
    async with opened(url) as db, db.read(Actor()) as tx:
        said = await tx.fetch("SELECT * FROM run_events WHERE run_id = $1 ORDER BY seq", run_id)
        kept = await tx.fetch("SELECT * FROM messages WHERE run_id = $1 ORDER BY seq", run_id)
        run = await tx.fetch("SELECT * FROM runs WHERE id = $1", run_id)
        return [tuple(row) for row in (*said, *kept, *run)]


@pytest.mark.rule("G-4", "G-25", "streaming-4.6")
async def test_a_stream_is_read_live_from_a_process_that_does_not_make_it(pair: Pair) -> None:
    first, second = pair
    run_id = await owned(pair, f"SLOW 100 SAY {_WORDS}")
    here, there = await asyncio.gather(first.read(run_id), second.read(run_id))
    assert [frame for frame, _ in here] == [frame for frame, _ in there]
    assert here[-1][0] == DONE
    lags = [there_at - here_at for (_, here_at), (_, there_at) in zip(here, there, strict=True)]
    assert statistics.median(lags[-20:]) < _LIVE_S
    seen = body_of(here[len(here) // 2][0])["seq_id"]
    rest = [frame for frame, _ in await second.read(run_id, after=seen)]
    assert rest == [frame for frame, _ in here][-len(rest) :]


@pytest.mark.rule("G-11", "streaming-4.7")
async def test_a_run_is_stopped_through_another_process(pair: Pair) -> None:
    first, second = pair
    run_id = await owned(pair, f"HANG 3 SAY {_WORDS}")
    run = await first.got(f"/v1/runs/{run_id}")
    asked_at = time.monotonic()
    cancelled = await second.made(
        f"/v1/agents/{run['agent_id']}/messages/cancel", {"run_ids": [run_id]}
    )
    assert cancelled == {run_id: "cancelled"}
    *_, (last, at) = await first.read(run_id)
    assert last == DONE
    assert at - asked_at < _CANCELLED_S
    assert (await second.got(f"/v1/runs/{run_id}"))["status"] == "cancelled"


@pytest.mark.rule("G-1", "G-8", "G-9", "G-13", "streaming-4.10")
async def test_a_process_that_hangs_is_followed_and_does_no_harm_when_it_wakes(
    pair: Pair, shared_url: str
) -> None:
    first, second = pair
    run_id = await owned(pair, f"SLOW 100 SAY {_WORDS}")
    with first.paused():
        async with asyncio.timeout(_TAKEN_OVER_S):
            said = await second.read(run_id)
        assert said[-1][0] == DONE
        assert (await second.got(f"/v1/runs/{run_id}"))["stop_reason"] == "end_turn"
        left = await rows(shared_url, run_id)
    async with asyncio.timeout(PATIENCE_S):
        while "run.fence_lost" not in first.server.log:
            await first.got("/v1/health/")
    assert await rows(shared_url, run_id) == left
    assert [frame for frame, _ in await first.read(run_id)] == [frame for frame, _ in said]
    async with opened(shared_url) as db:
        assert await faults(db) == []


@pytest.mark.rule("G-9", "G-20", "G-21", "api-22", "api-25.1")
async def test_what_is_due_is_done_once_by_two(pair: Pair) -> None:
    first, second = pair
    agents = [await first.agent() for _ in range(3)]
    async with receiving() as receiver:
        asked = [
            {"agent_id": agent_id, "input": f"Number {place}."}
            for place in range(3)
            for agent_id in agents
        ]
        batch = await second.made(
            "/v1/messages/batches", {"requests": asked, "callback_url": f"{receiver.url}/batch"}
        )
        timed = [await first.agent() for _ in range(3)]
        for agent_id in timed:
            soon = {"input": "On time.", "schedule": {"scheduled_at": (time.time() + 1) * 1_000}}
            await first.made(f"/v1/agents/{agent_id}/schedule", soon)
        for process in pair:
            await process.made(
                f"/v1/agents/{await process.agent()}/messages/async",
                {"input": "Hello.", "callback_url": f"{receiver.url}/run"},
            )
        await second.until(
            f"/v1/messages/batches/{batch['id']}", lambda found: found["status"] == "completed"
        )
        for agent_id in timed:
            await first.until(
                f"/v1/runs/?agent_id={agent_id}",
                lambda found: bool(found) and found[0]["status"] == "completed",
            )
        async with asyncio.timeout(PATIENCE_S):
            while len(receiver.told) < len(pair) + 1:
                await first.got("/v1/health/")
        paths = Counter(request.path for request in receiver.told)
    assert paths == {"/batch": 1, "/run": len(pair)}
    for agent_id, count in [*((one, 3) for one in agents), *((one, 1) for one in timed)]:
        assert len(await first.got("/v1/runs/", agent_id=agent_id)) == count
