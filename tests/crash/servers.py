"""One server at a time, killed and started again, as the test that does it sees it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx

from tests.crash.nursery import LISTEN, Start

START_S: Final = 60


@dataclass(frozen=True, slots=True)
class Nursery:
    """The process that forks the servers of all tests of a session."""

    process: "subprocess.Popen[bytes]"

    def ask(self, line: bytes) -> int:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line)
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def nursery() -> Generator[Nursery]:
    """Open a nursery of servers."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    ) as process:
        yield Nursery(process)


class Servers:
    """Servers of one test, one after the other, each on the same address and database."""

    def __init__(self, nursery: Nursery, wanted: Start) -> None:
        self.url = f"http://127.0.0.1:{nursery.ask(LISTEN)}"
        self.counted = Path(wanted.folder) / "counted"
        self.started_at = 0.0
        self.starts = 0
        self._nursery = nursery
        self._wanted = wanted
        self._pid = 0
        self._ended = asyncio.Event()
        self._ended.set()

    async def start(self, *, point: str = "-") -> None:
        """Start the next server; with a `point`, one that kills itself there."""
        start = replace(self._wanted, point=point)
        self._pid = await asyncio.to_thread(self._nursery.ask, start.written() + b"\n")
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
