"""The process that waits: it loads once what every call needs, and forks for each call."""

import contextlib
import gc
import json
import os
import random
import select
import shutil
import signal
import socket
import sys
import tempfile
from typing import Final, NoReturn

from . import call, confinement, filters, kernel, monitor

READY: Final = b"ready"
_REHEARSALS: Final = 20
"""So often a piece of code is run before Python has written to it what it learns of it."""
_AHEAD: Final = 2
_MOST_OPEN: Final = 1024


def main(control_descriptor: int, terms: str) -> None:
    """Have the calls that come over the descriptor carried out, until that is closed."""
    control = socket.socket(fileno=control_descriptor)
    given = monitor.Terms(**json.loads(terms))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path += given.paths
    with contextlib.suppress(ImportError):
        exec(given.warming, {"__name__": "warming"})
    filters.prepared(network=given.network)
    for _ in range(_REHEARSALS):
        call.rehearse()
    gc.collect()
    gc.freeze()
    control.send(READY)
    stand_by(control, given)


def stand_by(control: socket.socket, terms: monitor.Terms) -> None:
    """Have a child wait, confined, for each next call, until `control` is closed.

    A monitor, forked from here first, takes the calls, and orders the child of the next with each.
    So what a call is about is read by its child, what comes of it by the monitor, and nothing of
    any call is ever in this process, of which the others are copies.
    """
    line, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        line.close()
        monitor.attend(control, theirs, terms)
    control.close()
    theirs.close()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    living: dict[int, tuple[int, int, str]] = {}
    poll = select.poll()
    poll.register(line, select.POLLIN)
    try:
        for _ in range(_AHEAD):
            living |= _made(line, own, poll, terms)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor in living:
                    poll.unregister(descriptor)
                    _bury(descriptor, *living.pop(descriptor))
                elif line.recv(1):
                    living |= _made(line, own, poll, terms)
                else:
                    return
    except ConnectionError:
        # The monitor has ended, and left children that it had not taken.
        return
    finally:
        for process, _, folder in living.values():
            _end(process)
            _remove(folder)


def _made(
    line: socket.socket, own: int, poll: select.poll, terms: monitor.Terms
) -> dict[int, tuple[int, int, str]]:
    """Make a child, the first of a process namespace, and hand it to the monitor.

    Returns, by the descriptor that says when it has ended, its id, where to tell its status, and
    its folder, if that is no file system of its own.
    """
    folder = "" if terms.walled else tempfile.mkdtemp(prefix="eunoe-tool-")
    if terms.walled:
        kernel.unshare(kernel.NEW_PID)
    ours, theirs = socket.socketpair()
    outputs, errors, ended = os.pipe(), os.pipe(), os.pipe()
    process = kernel.fork()
    if process == 0:
        _become(theirs, outputs[1], errors[1], terms, folder)
    if terms.walled:
        kernel.enter(own, kernel.NEW_PID)
    handle = kernel.end_of(process)
    given = [ours.detach(), outputs[0], errors[0], ended[0], handle]
    socket.send_fds(line, [monitor.NUMBER.pack(process)], given)
    for end in (theirs.detach(), outputs[1], errors[1], *given[:-1]):
        os.close(end)
    poll.register(handle, select.POLLIN)
    return {handle: (process, ended[1], folder)}


def _bury(handle: int, process: int, telling: int, folder: str) -> None:
    """Take leave of a child that has ended, with its group and its folder, and tell how."""
    _end(process)
    _, status = os.waitpid(process, 0)
    # The monitor asks no more where there is a result.
    with contextlib.suppress(BrokenPipeError):
        os.write(telling, monitor.NUMBER.pack(status))
    os.close(telling)
    os.close(handle)
    _remove(folder)


def _remove(folder: str) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: int) -> None:
    """End the group of the process; there may be none of it any more, or not yet."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def _become(
    channel: socket.socket, output: int, errors: int, terms: monitor.Terms, folder: str
) -> NoReturn:
    """Turn this child into the one that runs a tool, which is told over the channel."""
    try:
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.dup2(channel.fileno(), 3)
        os.closerange(4, _MOST_OPEN)
        channel.detach()
        channel = socket.socket(fileno=3)
        # A group of its own, so that all of it can be ended.
        os.setsid()
        random.seed()
        listener = None
        if terms.walled:
            listener = confinement.confine(terms.limits, network=terms.network)
        else:
            confinement.bound(terms.limits, folder)
        if listener is not None:
            socket.send_fds(channel, [b"n"], [listener])
            os.close(listener)
        call.rehearse()
        told, descriptors, _, _ = socket.recv_fds(channel, len(monitor.CALL), 2)
        if not told:
            raise EOFError  # noqa: TRY301 -- as the next line would
        connection, tools = (socket.socket(fileno=one) for one in descriptors)
        # The code gets to see nothing of it.
        with connection:
            (length,) = monitor.LENGTH.unpack(monitor.exactly(connection, monitor.LENGTH.size))
            request = json.loads(monitor.exactly(connection, length))
        call.answer(request, channel, tools)
    except EOFError:
        # There was no call, and there will be none.
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 -- it is told, and the process ends
        # Nothing may get past here into the code of the process that waits.
        os.write(2, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)
