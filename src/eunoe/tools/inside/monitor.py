"""Watches calls from outside their namespaces: collects what they say, and ends them in time."""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from . import dialing

LENGTH: Final = struct.Struct(">I")
TIME: Final = struct.Struct(">d")
"""What comes with the sockets of a call: how long it may take."""
NUMBER: Final = struct.Struct(">i")
"""A process, or how it ended."""
CALL: Final = b"c"
_MORE: Final = b"+"
_CHUNK: Final = 65_536
_LOOK_EVERY_S: Final = 0.1
_RESULT: Final = "result"


@dataclass(slots=True)
class Stream:
    """What came out of one descriptor: the first `most` bytes, and how many there were."""

    most: int
    kept: bytearray = field(default_factory=bytearray)
    seen: int = 0

    def take(self, data: bytes) -> None:
        self.seen += len(data)
        self.kept += data[: self.most - len(self.kept)]

    def text(self) -> str:
        said = self.kept.decode("utf-8", "replace")
        if self.seen > len(self.kept):
            said += f"\n[{self.seen - len(self.kept)} more bytes were dropped]"
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every call of a sandbox; without walls, only the limits do."""

    limits: dict[str, int]
    walled: bool = True
    network: bool = False
    allowed: dict[str, Any] = field(default_factory=dict[str, Any])
    paths: list[str] = field(default_factory=list[str])
    """Where modules are found after those of the standard library."""
    warming: str = ""
    """The server's code that loads once what many calls will use."""


def attend(control: socket.socket, line: socket.socket, terms: Terms) -> NoReturn:
    """Take each call of `control` to the next child of `line`, and watch it; never returns.

    It ends with the first of both, and everything in the sandbox with it.
    """
    try:
        # It holds those of all calls.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        while True:
            told, descriptors, _, _ = socket.recv_fds(control, TIME.size, 2)
            if not told:
                break
            child = _next_child(line)
            line.send(_MORE)
            given = (child, terms, TIME.unpack(told)[0], *map(_socket, descriptors))
            threading.Thread(target=_serve, args=given, daemon=True).start()
    finally:
        # Whatever happened, this is not the process that waits.
        os._exit(0)


def _next_child(line: socket.socket) -> "Child":
    told, descriptors, _, _ = socket.recv_fds(line, NUMBER.size, 5)
    channel, stdout, stderr, ended, handle = descriptors
    return Child(
        process=NUMBER.unpack(told)[0],
        handle=handle,
        channel=_socket(channel),
        outputs={stdout: "stdout", stderr: "stderr"},
        ended=ended,
    )


def _socket(descriptor: int) -> socket.socket:
    return socket.socket(fileno=descriptor)


def _serve(
    child: "Child", terms: Terms, timeout_s: float, connection: socket.socket, tools: socket.socket
) -> None:
    """Have a call carried out and answer it, with what is broken where that is the sandbox."""
    try:
        # Whoever runs the code has them alone, so that its end is seen.
        with tools:
            socket.send_fds(child.channel, [CALL], [connection.fileno(), tools.fileno()])
        answer = _carried_out(connection, child, terms, timeout_s=timeout_s)
    except Exception as error:  # noqa: BLE001 -- the server has to hear of it
        answer = {"broken": f"{type(error).__name__}: {error}"}
    with connection, contextlib.suppress(OSError):
        connection.sendall(json.dumps(answer).encode())
        # The server need not wait for the child to be taken down.
        connection.shutdown(socket.SHUT_RDWR)
    child.end()
    child.close()


def _carried_out(
    connection: socket.socket, child: "Child", terms: Terms, *, timeout_s: float
) -> dict[str, Any]:
    limits = terms.limits
    streams = {name: Stream(most=limits["output_bytes"]) for name in ("stdout", "stderr")}
    streams[_RESULT] = Stream(most=limits["result_bytes"])
    dialer = (
        dialing.receive(child.channel, terms.allowed) if terms.network and terms.walled else None
    )
    watch = Watch(
        child=child,
        connection=connection,
        streams=streams,
        limits=limits,
        timeout_s=timeout_s,
        walled=terms.walled,
        dialer=dialer,
    )
    try:
        why = watch.until_ended()
    finally:
        if dialer is not None:
            dialer.close()
    return {
        "killed": why,
        "status": None if watch.ended is None else os.waitstatus_to_exitcode(watch.ended),
        "result_bytes": streams[_RESULT].seen,
        **{name: stream.text() for name, stream in streams.items()},
    }


def exactly(connection: socket.socket, length: int) -> bytes:
    got = bytearray()
    while len(got) < length:
        piece = connection.recv(min(_CHUNK, length - len(got)))
        if not piece:
            raise EOFError("the other side left")
        got += piece
    return bytes(got)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """The process that runs a tool: what it is told and answers over, and what it prints to.

    `handle` is the process for certain, `ended` where its status comes when it has ended.
    """

    process: int
    handle: int
    channel: socket.socket
    outputs: dict[int, str]
    ended: int

    def end(self) -> None:
        """End it, if it has not; where it has walls, everything that it started ends with it."""
        try:
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        except ProcessLookupError:
            return
        except OSError:
            # Where the kernel has no descriptors of processes.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process, signal.SIGKILL)

    def close(self) -> None:
        self.channel.close()
        for descriptor in (*self.outputs, self.ended, self.handle):
            os.close(descriptor)


@dataclass(slots=True, kw_only=True)
class Watch:
    child: Child
    connection: socket.socket
    streams: dict[str, Stream]
    limits: dict[str, int]
    timeout_s: float
    walled: bool
    dialer: dialing.Dialer | None = None
    began: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)
    ended: int | None = None

    def until_ended(self) -> str | None:
        """Collect until nothing more can come; return why the child was killed, if it was."""
        names = {**self.child.outputs, self.child.channel.fileno(): _RESULT}
        open_ends = set(names)
        poll = self._poll((*names, self.child.ended))
        why: str | None = None
        # Without a result it is told how the process ended.
        while open_ends or not self.streams[_RESULT].seen:
            ready = {descriptor for descriptor, _ in poll.poll(_LOOK_EVERY_S * 1000)}
            for descriptor in ready & open_ends:
                if self._taken(descriptor, names[descriptor]) == b"":
                    poll.unregister(descriptor)
                    open_ends.discard(descriptor)
            if self.child.ended in ready:
                (self.ended,) = NUMBER.unpack(os.read(self.child.ended, NUMBER.size))
                break
            why = why or self._too_much(ready)
            if why is not None:
                self.child.end()
            elif self.dialer is not None:
                self.dialer.finish(ready, poll)
                if self.dialer.listener in ready:
                    self.dialer.take(poll)
        for descriptor in open_ends:
            while self._taken(descriptor, names[descriptor]):
                pass
        return why

    def _poll(self, descriptors: Iterable[int]) -> select.poll:
        poll = select.poll()
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
            poll.register(descriptor, select.POLLIN)
        poll.register(self.connection, select.POLLRDHUP)
        if self.dialer is not None:
            poll.register(self.dialer.listener, select.POLLIN)
        return poll

    def _taken(self, descriptor: int, name: str) -> bytes | None:
        """Take a piece and return it: null for none yet, empty where no more can come."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""
        self.streams[name].take(data)
        return data

    def _too_much(self, ready: set[int]) -> str | None:
        """Return why the child is to be ended now, null where it may go on."""
        now = time.monotonic()
        if self.connection.fileno() in ready:
            return "left"
        if now >= self.began + self.timeout_s:
            return "time"
        if self.walled and now >= self.looked + _LOOK_EVERY_S:
            self.looked = now
            return "memory" if self._memory() > self.limits["memory_bytes"] else None
        return None

    def _memory(self) -> int:
        """Return the bytes that the processes of the call hold together."""
        total = 0
        # All of them, and each, may end while they are looked at.
        with contextlib.suppress(OSError):
            for process in Path(f"/proc/{self.child.process}/root/proc").iterdir():
                with contextlib.suppress(OSError):
                    if process.name.isdigit():
                        text = (process / "smaps_rollup").read_text(encoding="ascii")
                        total += 1024 * int(text.partition("\nPss:")[2].split()[0])
        return total
