"""A program of ours in a process of its own, for work on what others wrote.

A file made to break its reader, or an expression that never ends, costs that process and
nothing else: it has the environment of nobody, bounds itself as soon as it starts, and is
killed when its time is over.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
_LONGEST_LINE: Final = 8 * 1024 * 1024
_REASON_BYTES: Final = 2_000


@asynccontextmanager
async def child(program: str, *arguments: str) -> AsyncGenerator[Process]:
    """Run one of the programs beside this; whatever happens, it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(Path(__file__).with_name(program)),
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=_ENVIRONMENT,
        limit=_LONGEST_LINE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def reason(process: Process) -> str | None:
    """Wait for the end of a process whose output was read; return what failed, null for nothing."""
    assert process.stderr is not None  # noqa: S101 -- it was opened as a pipe
    said = (await process.stderr.read(_REASON_BYTES)).decode(errors="replace").strip()
    if await process.wait() == 0:
        return None
    return said.splitlines()[-1] if said else f"its reader ended with {process.returncode}"


async def send(process: Process, data: bytes) -> bool:
    """Give a process more of its input; false where it wants no more."""
    assert process.stdin is not None  # noqa: S101 -- it was opened as a pipe
    try:
        process.stdin.write(data)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def finish(process: Process) -> None:
    """Tell a process that its input is over."""
    assert process.stdin is not None  # noqa: S101 -- it was opened as a pipe
    process.stdin.close()
