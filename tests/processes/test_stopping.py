"""A process that is told to stop gives its runs away; one of several that dies is replaced."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from eunoe.runs.feed import Feed
from eunoe.store import runs
from eunoe.store.database import opened
from eunoe.store.db import Actor, Dialect
from tests.crash.invariants import faults
from tests.fixtures.servers import serving
from tests.processes.conftest import DONE, PATIENCE_S, Process, asking, body_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ACTOR: Final = Actor()
_WORDS: Final = " ".join(f"w{place}" for place in range(40))
# A job whose owner just vanished is missed after fifteen seconds.
_AT_ONCE_S: Final = 10


@pytest.fixture(params=["postgresql"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """SQLite has one process."""
    return request.param


def variables(model_url: str, **more: str) -> dict[str, str]:
    provider = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": model_url}
    return {**provider, "EUNOE_SHUTDOWN_GRACE_S": "2", **more}


def workers_of(process_id: int) -> set[int]:
    """Return the processes that serve for a supervisor; it has one more, which keeps its books."""
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    return {int(one) for one in children if b"spawn_main" in command_of(one)}


def command_of(process_id: str) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    return b""


async def status_of(client: httpx.AsyncClient, path: str) -> int | None:
    try:
        return (await client.get(path)).status_code
    except httpx.TransportError:
        return None


@pytest.mark.rule("G-1", "G-4", "G-8", "G-9", "streaming-8.5")
@pytest.mark.parametrize("background", [True, False])
async def test_a_server_that_stops_gives_its_runs_to_a_worker_at_once(
    database_url: str, model_url: str, tmp_path: Path, background: bool
) -> None:
    given = variables(model_url)
    with (
        serving(database_url, folder=tmp_path, command=["worker"], **given) as worker,
        serving(database_url, folder=tmp_path, **given) as server,
    ):
        async with asking(server) as first:
            idle = Process(server=worker, client=first.client)
            with idle.paused():
                run_id = await first.begun(
                    await first.agent(), f"SLOW 150 SAY {_WORDS}", background=background
                )
                reading = asyncio.create_task(first.read(run_id))
                os.kill(server.process.pid, signal.SIGTERM)
                ready = {await status_of(first.client, "/v1/ready/")}
                while 503 not in ready:
                    assert None not in ready
                    ready.add(await status_of(first.client, "/v1/ready/"))
                assert (await first.client.get("/v1/health/")).status_code == 200
            said = [frame for frame, _ in await reading]
            assert server.process.wait(PATIENCE_S) == 0
        assert said[-1] == DONE
        assert body_of(said[-2])["error_type"] == "stream_incomplete"
        seen = max(body_of(one).get("seq_id") or 0 for one in said[:-1])
        async with opened(database_url) as db:
            async with asyncio.timeout(_AT_ONCE_S):
                fence = 1
                while fence == 1:
                    async with db.read(ACTOR) as tx:
                        fence = await tx.fetch_value("SELECT fence FROM runs WHERE id = $1", run_id)
            async with asyncio.timeout(PATIENCE_S):
                rest = [seq async for seq, _ in Feed(db).read(ACTOR, run_id, after=seen)]
            assert rest == list(range(seen + 1, seen + 1 + len(rest)))
            async with db.read(ACTOR) as tx:
                run = await runs.get(tx, run_id)
        assert run is not None
        assert (run.status, run.stop_reason, run.fence) == ("completed", "end_turn", 2)
        assert worker.stop() == 0
        assert worker.faults() == server.faults() == []
    async with opened(database_url) as db:
        assert await faults(db) == []


@pytest.mark.rule("G-9")
async def test_one_of_several_processes_that_dies_is_replaced(
    empty_database_url: str, model_url: str, tmp_path: Path
) -> None:
    given = variables(model_url, EUNOE_WORKERS="2")
    with serving(empty_database_url, folder=tmp_path, **given) as server:
        async with asking(server) as client:
            agent_id = await client.agent()
            before = workers_of(server.process.pid)
            assert len(before) == 2
            dead = min(before)
            os.kill(dead, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE_S):
                while len(after := workers_of(server.process.pid) - {dead}) < len(before):
                    await client.got("/v1/health/")
            path = f"/v1/agents/{agent_id}/messages"
            reply = await client.made(path, {"input": "SAY all is well"})
            assert reply["stop_reason"]["stop_reason"] == "end_turn"
        assert server.stop() == 0
        assert [one for one in after if command_of(str(one))] == []
    async with opened(empty_database_url) as db:
        assert await faults(db) == []
