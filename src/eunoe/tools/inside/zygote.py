"""The process that waits: it loads once what every call needs, and forks for each call."""

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from typing import Final

from . import call, filters, monitor

READY: Final = b"ready"
_REHEARSALS: Final = 20
"""So often a piece of code is run before Python has written to it what it learns of it."""


def main(control_descriptor: int, terms: str) -> None:
    """Have a monitor wait for the next call that comes over the descriptor, until that is closed.

    One monitor always stands by. What a call is about is read by its child alone, so nothing of a
    call is ever in this process.
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
    for _ in range(_REHEARSALS):
        call.rehearse()
    gc.collect()
    gc.freeze()
    next_one = _standing_by(control, given)
    control.send(READY)
    while os.read(next_one, 1):
        os.close(next_one)
        next_one = _standing_by(control, given)


def _standing_by(control: socket.socket, terms: monitor.Terms) -> int:
    """Return where the next monitor says that it has a call; it says nothing where none comes."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.close(ours)
        monitor.stand_by(control, theirs, terms)
    os.close(theirs)
    return ours
