"""An MCP server as a process of its own: spoken to in lines of JSON, never outliving its session.

The SDK's own transport reads lines of any length, and leaves what a server started behind when
that ends by itself.
"""

import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import anyio
import mcp_types as types
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from eunoe.domain.mcp_servers import StdioServer
from eunoe.errors import McpUnreachable

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]

_INHERITED: Final = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER")
_LEAVE_S: Final = 2.0
_END_S: Final = 2.0
_DYING_S: Final = 0.5
_POLL_S: Final = 0.02
_MOST_HEARD: Final = 1_000


@asynccontextmanager
async def spoken_to(
    server: StdioServer, *, message_bytes: int
) -> AsyncGenerator[tuple[Incoming, Outgoing]]:
    """Run the server's command, and yield the streams to and from it.

    It is given a few variables of this process, none of our keys, and those of its
    configuration. The incoming stream ends when the process closes its output or says more in
    one line than `message_bytes`. When the block ends, so do the process and all it started.
    """
    process = await _started(server)
    heard = bytearray()
    told_in, told = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    said, said_out = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_listen, process, told_in, message_bytes)
            group.start_soon(_speak, process, said_out, told_in)
            group.start_soon(_overhear, process, heard)
            try:
                yield told, said
            finally:
                group.cancel_scope.cancel()
    except Exception as error:
        if await _has_left(process, _DYING_S):
            with anyio.move_on_after(_DYING_S):
                await _overhear(process, heard)
            raise McpUnreachable(_why(process, server, heard)) from error
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await _ended(process)
        for stream in (told_in, told, said, said_out):
            stream.close()


async def _started(server: StdioServer) -> Process:
    try:
        return await anyio.open_process(
            [server.command, *server.args],
            env=_environment(server.env or {}),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise McpUnreachable(f"The command {server.command} cannot be run: {reason}.") from error


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return kept | dict(given)


async def _listen(
    process: Process, into: MemoryObjectSendStream[SessionMessage | Exception], message_bytes: int
) -> None:
    out = process.stdout
    with contextlib.suppress(*_GONE):
        async with into:
            buffer = bytearray()
            async for piece in out or _nothing():
                buffer += piece
                while (end := buffer.find(b"\n")) >= 0:
                    line, buffer = bytes(buffer[:end]), buffer[end + 1 :]
                    if line.strip():
                        await into.send(_parsed(line))
                if len(buffer) > message_bytes:
                    return


def _parsed(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _speak(
    process: Process,
    said: MemoryObjectReceiveStream[SessionMessage],
    told: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    pipe = process.stdin
    try:
        async for message in said:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            if pipe is not None:
                await pipe.send(text.encode() + b"\n")
    except _GONE:
        # Nobody hears any more: those who wait for an answer learn it from the other stream.
        told.close()


async def _overhear(process: Process, heard: bytearray) -> None:
    """Keep the last of what the process says of itself."""
    with contextlib.suppress(*_GONE):
        async for piece in process.stderr or _nothing():
            heard[:] = (heard + piece)[-_MOST_HEARD:]


def _why(process: Process, server: StdioServer, heard: bytearray) -> str:
    """Return how the process ended and its last line, without what it was given as secrets."""
    lines = heard.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    for value in filter(None, (server.env or {}).values()):
        last = last.replace(value, "…")
    return f"The command {server.command} ended with status {process.returncode}: {last}"


async def _nothing() -> AsyncGenerator[bytes]:
    return
    yield b""


async def _ended(process: Process) -> None:
    """Let the process leave, then end its group: asked first, forced after a while."""
    await _closed(process.stdin)
    if not await _has_left(process, _LEAVE_S):
        _signal(process.pid, signal.SIGTERM)
        await _has_left(process, _END_S)
    # What it started goes too, whether or not it has left by itself.
    _signal(process.pid, signal.SIGKILL)
    await _has_left(process, _END_S)
    await _closed(process.stdout)
    with contextlib.suppress(Exception):
        await process.aclose()


async def _has_left(process: Process, within_s: float) -> bool:
    # `wait` would also wait for those who inherited the pipes.
    with anyio.move_on_after(within_s):
        while process.returncode is None:  # noqa: ASYNC110 -- the process sets no event
            await anyio.sleep(_POLL_S)
    return process.returncode is not None


def _signal(group: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, what)


async def _closed(stream: ByteReceiveStream | ByteSendStream | None) -> None:
    if stream is not None:
        with contextlib.suppress(*_GONE):
            await stream.aclose()


_GONE: Final = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)
