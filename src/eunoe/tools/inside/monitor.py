"""Watches one call from outside its namespaces: collects what it says, and ends it in time."""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn

from . import call, confinement, dialing, kernel

LENGTH: Final = struct.Struct(">I")
TIME: Final = struct.Struct(">d")
"""What comes with the sockets of a call: how long it may take."""
_CHUNK: Final = 65_536
_LOOK_EVERY_S: Final = 0.1
_RESULT: Final = "result"
_CALL: Final = b"c"


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


def stand_by(control: socket.socket, taken: int, terms: Terms) -> NoReturn:
    """Make a confined child, wait for a call on `control`, say so on `taken`, and carry it out.

    The child waits confined, so that a call does not wait for its walls. Never returns.
    """
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child = _child(control, terms)
        _rehearse(terms)
        told, descriptors, _, _ = socket.recv_fds(control, TIME.size, 2)
        control.close()
        if told:
            os.write(taken, b"t")
            connection, tools = (socket.socket(fileno=one) for one in descriptors)
            # Whoever runs the code has them alone, so that its end is seen.
            with tools:
                socket.send_fds(child.channel, [_CALL], descriptors)
            _serve(connection, child, terms, timeout_s=TIME.unpack(told)[0])
            _end(child.process)
    finally:
        # Whatever happened, this is not the process that waits.
        os._exit(0)


def _rehearse(terms: Terms) -> None:
    """Answer a call that is over at once, so that what a call needs is this process's own."""
    ends = [socket.socketpair() for _ in range(4)]
    for _, theirs in ends[:3]:
        theirs.close()
    (channel, _), (stdout, _), (stderr, _), (connection, _) = ends
    outputs = {stdout.fileno(): "stdout", stderr.fileno(): "stderr"}
    over = Child(process=os.getpid(), channel=channel, outputs=outputs)
    _serve(connection, over, replace(terms, network=False), timeout_s=60.0)
    for ours, theirs in ends:
        ours.close()
        theirs.close()


def _end(process: int) -> None:
    """End the process with its group; there may be none of it any more, or not yet."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def _serve(connection: socket.socket, child: "Child", terms: Terms, *, timeout_s: float) -> None:
    """Answer a call, with what is broken where that is the sandbox."""
    try:
        answer = _carried_out(connection, child, terms, timeout_s=timeout_s)
    except Exception as error:  # noqa: BLE001 -- the server has to hear of it
        answer = {"broken": f"{type(error).__name__}: {error}"}
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(answer).encode())
        # The server need not wait for this process to be taken down.
        connection.shutdown(socket.SHUT_RDWR)


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
    why = watch.until_ended()
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
    """The process that runs a tool: what it is told and answers over, and what it prints to."""

    process: int
    channel: socket.socket
    outputs: dict[int, str]


def _child(control: socket.socket, terms: Terms) -> Child:
    if terms.walled:
        kernel.unshare(kernel.NEW_PID)
    ours, theirs = socket.socketpair()
    pipes = {name: os.pipe() for name in ("stdout", "stderr")}
    process = os.fork()
    if process == 0:
        control.close()
        ours.close()
        _become(theirs, {name: ends[1] for name, ends in pipes.items()}, terms)
    theirs.close()
    for ends in pipes.values():
        os.close(ends[1])
    outputs = {ends[0]: name for name, ends in pipes.items()}
    return Child(process=process, channel=ours, outputs=outputs)


def _become(channel: socket.socket, ends: dict[str, int], terms: Terms) -> NoReturn:
    """Turn this child into the one that runs a tool, which is told over the channel."""
    try:
        os.dup2(ends["stdout"], 1)
        os.dup2(ends["stderr"], 2)
        os.dup2(channel.fileno(), 3)
        os.closerange(4, 1024)
        channel.detach()
        channel = socket.socket(fileno=3)
        # A group of its own, so that all of it can be ended.
        os.setsid()
        listener = None
        if terms.walled:
            listener = confinement.confine(terms.limits, network=terms.network)
        else:
            confinement.bound(terms.limits)
        if listener is not None:
            socket.send_fds(channel, [b"n"], [listener])
            os.close(listener)
        call.rehearse()
        told, descriptors, _, _ = socket.recv_fds(channel, len(_CALL), 2)
        if not told:
            raise EOFError  # noqa: TRY301 -- as the next line would
        connection, tools = (socket.socket(fileno=one) for one in descriptors)
        # The code gets to see nothing of it.
        with connection:
            (length,) = LENGTH.unpack(exactly(connection, LENGTH.size))
            request = json.loads(exactly(connection, length))
        call.answer(request, channel, tools, network=terms.network)
    except EOFError:
        # There was no call, and there will be none.
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 -- it is told, and the process ends
        # Nothing may get past here into the code of the monitor.
        os.write(2, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)


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
        ended = os.pidfd_open(self.child.process)
        poll = self._poll((*names, ended))
        why: str | None = None
        while open_ends:
            ready = {descriptor for descriptor, _ in poll.poll(_LOOK_EVERY_S * 1000)}
            for descriptor in ready & open_ends:
                if self._taken(descriptor, names[descriptor]) == b"":
                    poll.unregister(descriptor)
                    open_ends.discard(descriptor)
            if ended in ready:
                _, self.ended = os.waitpid(self.child.process, 0)
                break
            why = why or self._too_much(ready)
            if why is not None:
                _end(self.child.process)
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
        for process in Path(f"/proc/{self.child.process}/root/proc").glob("[0-9]*/smaps_rollup"):
            # One may end while it is looked at.
            with contextlib.suppress(OSError):
                text = process.read_text(encoding="ascii")
                total += 1024 * int(text.partition("\nPss:")[2].split()[0])
        return total
