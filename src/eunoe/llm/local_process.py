"""A local model's process: started on demand, watched, started again when it dies."""

import asyncio
import json
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Final, cast

from eunoe.errors import LocalExtraMissing, ModelOverloaded, ModelTimedOut, ModelUnreachable

_START_S: Final = 180.0
_STOP_S: Final = 5.0
_DYING_S: Final = 1.0
_MOST_STARTS: Final = 5
_STARTS_WITHIN_S: Final = 300.0
_MOST_LOG_BYTES: Final = 4 << 20
_KEPT_VARIABLES: Final = frozenset(
    {"HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR"}
)
_KEPT_PREFIXES: Final = ("CUDA_", "DYLD_", "GGML_", "HIP_", "LD_", "OMP_", "ROCR_", "VK_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Where the process listens. The key is fresh for each, so that only its parent is served."""

    pid: int
    base_url: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a model is run. `context_tokens` bounds the memory; 0 `gpu_layers` is CPU only."""

    context_tokens: int = 8_192
    threads: int = field(default_factory=lambda: max(1, (os.cpu_count() or 2) - 1))
    gpu_layers: int = -1


class LocalServer:
    """One GGUF file behind a llama.cpp server in a process of its own.

    `ready` starts it when it is not running, at most five times in five minutes.
    """

    def __init__(self, path: Path, *, options: ServerOptions, log: Path) -> None:
        self._path = path
        self._options = options
        self._log = log
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._running: Running | None = None
        self._starts: deque[float] = deque(maxlen=_MOST_STARTS)

    @property
    def running(self) -> Running | None:
        """Where it listens now, None where it is not running."""
        process = self._process
        return self._running if process is not None and process.returncode is None else None

    async def ready(self) -> Running:
        """Return a process that has loaded the model, starting one where there is none.

        Raises `LocalExtraMissing`, `ModelUnreachable` where it does not start,
        `ModelOverloaded` where it keeps dying, `ModelTimedOut`.
        """
        async with self._lock:
            if self.running is None:
                self._running = await self._start()
            return cast("Running", self._running)

    async def has_died(self) -> bool:
        """Whether the process is gone, or goes soon: its broken connection is seen first."""
        process = self._process
        if process is None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(_DYING_S):
                await process.wait()
        return process.returncode is not None

    async def stop(self) -> None:
        """End the process; a later `ready` starts another."""
        async with self._lock:
            await self._end()

    async def _start(self) -> Running:
        if find_spec("xllamacpp") is None:
            raise LocalExtraMissing
        await self._end()
        now = time.monotonic()
        if len(self._starts) == _MOST_STARTS and now - self._starts[0] < _STARTS_WITHIN_S:
            raise ModelOverloaded(
                f"The local model {self._path.stem} keeps dying; {self._log} says why."
            )
        self._starts.append(now)
        log = await asyncio.to_thread(_opened, self._log)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "eunoe.llm.local_server",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=_environment(os.environ),
                start_new_session=True,
            )
        finally:
            await asyncio.to_thread(log.close)
        self._process = process
        try:
            async with asyncio.timeout(_START_S):
                return await self._greeted(process)
        except TimeoutError as error:
            await self._end()
            raise ModelTimedOut(
                f"The local model {self._path.stem} did not load within {_START_S:.0f} s."
            ) from error
        except BaseException:
            await self._end()
            raise

    async def _greeted(self, process: asyncio.subprocess.Process) -> Running:
        """Tell the process what to load, and wait until it says where it listens."""
        key = secrets.token_urlsafe(32)
        order = {
            "path": str(self._path),
            "name": self._path.stem,
            "key": key,
            **asdict(self._options),
        }
        orders, answers = process.stdin, process.stdout
        if orders is None or answers is None:
            raise ModelUnreachable("The local model's process has no pipes.")
        with suppress(BrokenPipeError, ConnectionResetError):
            orders.write(json.dumps(order).encode() + b"\n")
            await orders.drain()
        line = await answers.readline()
        if not line:
            code = await process.wait()
            raise ModelUnreachable(
                f"The local model {self._path.stem} did not start (exit code {code}); "
                f"{self._log} says why."
            )
        address = cast("dict[str, str]", json.loads(line))["address"]
        return Running(pid=process.pid, base_url=f"{address}/v1", key=key)

    async def _end(self) -> None:
        process, self._process, self._running = self._process, None, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a model needs; it gets none of the server's keys."""
    return {
        name: value
        for name, value in values.items()
        if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)
    }


def _opened(log: Path) -> BinaryIO:
    """Return the log to append to, begun anew once it is large."""
    log.parent.mkdir(parents=True, exist_ok=True)
    is_large = log.exists() and log.stat().st_size > _MOST_LOG_BYTES
    return log.open("wb" if is_large else "ab")
