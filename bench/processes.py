"""The processes that a benchmark starts, and what the operating system says of them."""

import asyncio
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


@dataclass(frozen=True, slots=True)
class Process:
    url: str
    pid: int
    start_s: float
    """From being started to the first healthy answer."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the process so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_MIB


@asynccontextmanager
async def model_server() -> AsyncGenerator[Process]:
    port = _free_port()
    command = [sys.executable, "-m", "eunoe.testing.model_server", "--port", str(port)]
    async with _running(command, f"http://127.0.0.1:{port}", "/v1/models", {}) as process:
        yield process


@asynccontextmanager
async def eunoe_server(
    model_url: str, *, data_dir: Path, database_url: str | None
) -> AsyncGenerator[Process]:
    port = _free_port()
    environment = {
        "OPENAI_API_KEY": "scripted",
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "EUNOE_DATA_DIR": str(data_dir),
        "EUNOE_PORT": str(port),
        "EUNOE_LOCAL_MODEL": "off",
        "EUNOE_LOG_LEVEL": "warning",
        "EUNOE_MCP_STDIO": "true",
        **({"EUNOE_DATABASE_URL": database_url} if database_url else {}),
    }
    command = [str(Path(sys.executable).parent / "eunoe"), "server"]
    async with _running(command, f"http://127.0.0.1:{port}", "/v1/health/", environment) as process:
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
