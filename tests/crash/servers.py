"""One server at a time, killed and started again, as the test that does it sees it."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

START_S: Final = 60


class Servers:
    """Servers on one database, one after the other. `errors` collects what they log."""

    def __init__(self, nursery: Process, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.counted = folder / "counted"
        self.log = folder / "log"
        self.started_at = 0.0
        self.starts = 0
        self._nursery = nursery
        self._pid = 0
        self._ended = asyncio.Event()
        self._ended.set()

    async def start(self, *, point: str = "-") -> None:
        """Start the next server; with a `point`, one that kills itself there."""
        assert self._nursery.stdin
        assert self._nursery.stdout
        self._nursery.stdin.write(f"{point}\n".encode())
        self._pid = int(await asyncio.wait_for(self._nursery.stdout.readline(), START_S))
        self._ended = ended = asyncio.Event()
        try:
            handle = os.pidfd_open(self._pid)
        except ProcessLookupError:
            ended.set()
        else:
            asyncio.get_running_loop().add_reader(handle, _end, handle, ended)
        self.starts += 1
        self.started_at = time.monotonic()

    async def up(self) -> None:
        """Wait until the server answers; return at once where it died instead."""
        async with httpx.AsyncClient(timeout=START_S) as client:
            while self.alive:
                try:
                    await client.get(f"{self.url}/v1/health/", timeout=1)
                except httpx.TransportError:
                    continue
                self.started_at = time.monotonic()
                return

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    async def gone(self, *, within_s: float) -> bool:
        """Wait for the server's own end; whether it came."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), within_s)
        return not self.alive

    async def signal(self, how: signal.Signals, *, within_s: float = 10) -> None:
        """Send the signal and wait for the end."""
        if self.alive:
            os.kill(self._pid, how)
        assert await self.gone(within_s=within_s), "the server did not end"


def _end(handle: int, ended: asyncio.Event) -> None:
    asyncio.get_running_loop().remove_reader(handle)
    os.close(handle)
    ended.set()


@asynccontextmanager
async def nursery(url: str, folder: Path, *, model_url: str) -> AsyncGenerator[Servers]:
    """Open a nursery of servers on the database at `url`; whatever lives at the end is killed."""
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.crash.nursery",
            url,
            str(folder),
            model_url,
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )
    assert process.stdout
    port = int(await asyncio.wait_for(process.stdout.readline(), START_S))
    servers = Servers(process, folder, port)
    try:
        yield servers
    finally:
        await servers.signal(signal.SIGKILL)
        assert process.stdin
        process.stdin.close()
        await process.wait()
