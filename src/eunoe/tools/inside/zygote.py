"""The process that waits: it loads once what every call needs, and forks for each call."""

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from typing import Final

from . import filters, monitor

READY: Final = b"ready"


def main(control_descriptor: int, terms: str) -> None:
    """Give each connection that comes over the descriptor to a monitor, until it is closed.

    One monitor always stands by. What a call is about is read by its monitor and its child, so
    nothing of a call stays in this process.
    """
    control = socket.socket(fileno=control_descriptor)
    given = monitor.Terms(**json.loads(terms))
    # Its children are reaped by the kernel; it has nothing to say about them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path += given.paths
    with contextlib.suppress(ImportError):
        exec(given.warming, {"__name__": "warming"})
    filters.prepare(network=given.network)
    gc.collect()
    gc.freeze()
    next_one = _standing_by(control, given)
    control.send(READY)
    while True:
        told, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if not told:
            return
        with next_one:
            socket.send_fds(next_one, [told], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        next_one = _standing_by(control, given)


def _standing_by(control: socket.socket, terms: monitor.Terms) -> socket.socket:
    """Return where to hand the next connection to."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        control.close()
        ours.close()
        monitor.stand_by(theirs, terms)
    theirs.close()
    return ours
