"""The processes that a benchmark starts, and what the operating system says of them."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import Connection

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_START_LIMIT_S = 60.0
_REST_S = 1.0
_REST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was started, with all that it starts in turn."""

    url: str
    pid: int
    start_s: float
    """From being started to the first healthy answer."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far, user and system, of all of them; of those that ended too."""
        return sum(sum(map(int, fields[11:15])) for fields in _family(self.pid)) / _TICKS

    @property
    def memory_mib(self) -> float:
        """Resident memory; what processes share counts in each."""
        return sum(int(fields[21]) for fields in _family(self.pid)) * _PAGE_MIB


def _family(pid: int) -> list[list[str]]:
    """Return what /proc says of a process and of all below it, from its state on."""
    seen: dict[int, list[str]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        # Others come and go meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            seen[int(entry.name)] = (entry / "stat").read_text().rsplit(")", 1)[1].split()
    found = [pid]
    for parent in found:
        found += [child for child, fields in seen.items() if int(fields[1]) == parent]
    return [seen[one] for one in found]


@asynccontextmanager
async def model_server() -> AsyncGenerator[Process]:
    port = _free_port()
    command = [sys.executable, "-m", "eunoe.testing.model_server", "--port", str(port)]
    async with _running(command, f"http://127.0.0.1:{port}", "/v1/models", {}) as process:
        yield process


@asynccontextmanager
async def eunoe_server(
    model_url: str, *, data_dir: Path, database_url: str | None, workers: int = 1
) -> AsyncGenerator[Process]:
    """Yield a server of so many processes, each of which is up."""
    port = _free_port()
    environment = {
        "OPENAI_API_KEY": "scripted",
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "EUNOE_DATA_DIR": str(data_dir),
        "EUNOE_PORT": str(port),
        "EUNOE_WORKERS": str(workers),
        "EUNOE_LOCAL_MODEL": "off",
        "EUNOE_LOG_LEVEL": "warning",
        "EUNOE_MCP_STDIO": "true",
        **({"EUNOE_DATABASE_URL": database_url} if database_url else {}),
    }
    command = [str(Path(sys.executable).parent / "eunoe"), "server"]
    async with _running(command, f"http://127.0.0.1:{port}", "/v1/health/", environment) as process:
        if workers > 1:
            await _at_rest(process)
        yield process


@asynccontextmanager
async def _running(
    command: list[str], url: str, probe: str, environment: dict[str, str]
) -> AsyncGenerator[Process]:
    began = time.perf_counter()
    # A server that was installed has its byte-code; one that may not write it compiles each time.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    child = await asyncio.create_subprocess_exec(
        *command,
        env={**inherited, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _healthy(child, url, probe, until=began + _START_LIMIT_S)
        yield Process(url, child.pid, time.perf_counter() - began)
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
            await child.wait()


async def _healthy(
    child: asyncio.subprocess.Process, url: str, probe: str, *, until: float
) -> None:
    while time.perf_counter() < until and child.returncode is None:
        connection = Connection(url)
        try:
            await connection.json("GET", probe)
        except OSError:
            await asyncio.sleep(0.005)
        else:
            return
        finally:
            await connection.close()
    raise RuntimeError(f"{child.pid} did not become healthy at {url}")


async def _at_rest(server: Process) -> None:
    """Wait until nothing starts any more: one healthy answer tells of one process alone."""
    before = 0.0
    for _ in range(round(_START_LIMIT_S / _REST_S)):
        spent = server.cpu_s
        if spent - before < _REST_SHARE * _REST_S:
            return
        before = spent
        await asyncio.sleep(_REST_S)
    raise RuntimeError(f"{server.pid} and its children never came to rest")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
