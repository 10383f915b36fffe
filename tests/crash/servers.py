"""Servers that are killed, stopped or paused, and followed by others, as the test that does it sees them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Final

import httpx

from tests.crash.gates import Gates, Hold
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


@dataclass(slots=True, kw_only=True)
class _Process:
    pid: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self) -> None:
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self.ended.set()
        else:
            asyncio.get_running_loop().add_reader(handle, _end, handle, self.ended)

    def send(self, how: Signals) -> None:
        if not self.ended.is_set():
            os.kill(self.pid, how)


class Servers:
    """Servers of one test, each on the same address and database; mostly one at a time."""

    def __init__(self, nursery: Nursery, wanted: Start, gates: Gates) -> None:
        self.url = f"http://127.0.0.1:{nursery.ask(LISTEN)}"
        self.database_url = wanted.url
        self.folder = Path(wanted.folder)
        self.counted = self.folder / "counted"
        self.gates = gates
        self.started_at = 0.0
        self._nursery = nursery
        self._wanted = wanted
        self._newest = _Process(pid=0)
        self._newest.ended.set()
        self._paused: list[_Process] = []
        self._dying: asyncio.Task[None] | None = None

    async def start(self, *, point: str = "") -> None:
        """Start the next server; one with a `point` is killed there.

        The point is `before:METHOD:N` or `after:METHOD:N`, one of the nursery's and how often
        it is called first.
        """
        pid = await asyncio.to_thread(self._nursery.ask, self._wanted.written() + b"\n")
        self._newest = _Process(pid=pid)
        self._newest.watch()
        self.started_at = time.monotonic()
        if point:
            place, _, nth = point.rpartition(":")
            hold = self.gates.hold(Hold(place=place, nth=int(nth)))
            self._dying = asyncio.create_task(self._die_at(hold))

    async def _die_at(self, hold: Hold) -> None:
        await hold.arrived.wait()
        self._newest.send(Signals.SIGKILL)

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
        return not self._newest.ended.is_set()

    async def gone(self, *, within_s: float) -> bool:
        """Wait for the server's own end; whether it came."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._newest.ended.wait(), within_s)
        return not self.alive

    async def signal(self, how: Signals, *, within_s: float = 10) -> None:
        """Send the signal and wait for the end."""
        self.tell(how)
        assert await self.gone(within_s=within_s), "the server did not end"

    def tell(self, how: Signals) -> None:
        self._newest.send(how)

    def pause(self) -> None:
        """Let the newest server be as one whose machine hangs, until `wake`."""
        self._newest.send(Signals.SIGSTOP)
        self._paused.append(self._newest)

    def wake(self) -> None:
        for one in self._paused:
            one.send(Signals.SIGCONT)

    async def kill_awoken(self) -> None:
        """End those that were paused: others have taken their place."""
        paused, self._paused = self._paused, []
        for one in paused:
            one.send(Signals.SIGKILL)
            await asyncio.wait_for(one.ended.wait(), START_S)

    async def close(self) -> None:
        await self.kill_awoken()
        await self.signal(Signals.SIGKILL)
        if self._dying is not None:
            self._dying.cancel()


def _end(handle: int, ended: asyncio.Event) -> None:
    asyncio.get_running_loop().remove_reader(handle)
    os.close(handle)
    ended.set()
