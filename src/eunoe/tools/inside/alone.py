"""The one call of a sandbox that is made for it, elsewhere: the machine itself is the wall.

What it is asked is a line of standard input, and what it says are lines of standard output: the
calls of tools that the code makes, each answered by a line, and at last what came of the code.
"""

import contextlib
import json
import os
import shutil
import socket
import sys
import threading
from typing import Any, BinaryIO, Final

from . import monitor, node, zygote

_SAYING: Final = threading.Lock()


def main(asked: dict[str, Any], answers: BinaryIO) -> None:
    """Carry out the call, and end."""
    # The code has none of it: neither what comes in, nor what goes out.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    request = asked["request"]
    if "by_place" in request:
        _take_node(request, asked["programs"], memory_bytes=asked["limits"]["memory_bytes"])
    body = json.dumps(request).encode()
    control, handed = socket.socketpair(type=socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        control.close()
        try:
            zygote.stand_by(handed, monitor.Terms(limits=asked["limits"], walled=False))
        finally:
            os._exit(0)
    ours, connection = socket.socketpair()
    code, tools = socket.socketpair()
    with connection, tools:
        ends = [connection.fileno(), tools.fileno()]
        socket.send_fds(control, [monitor.TIME.pack(asked["timeout_s"])], ends)
    threading.Thread(target=_pass_on, args=(code, answers), daemon=True).start()
    ours.sendall(monitor.LENGTH.pack(len(body)) + body)
    said = bytearray()
    while piece := ours.recv(65_536):
        said += piece
    _say("answer", said)
    os._exit(0)


def _take_node(request: dict[str, Any], programs: str, *, memory_bytes: int) -> None:
    program = shutil.which("node", path=os.pathsep.join((programs, os.environ["PATH"])))
    if program is None:
        sys.exit("There is no Node.")
    request.update(node=program, node_options=node.options(program, memory_bytes=memory_bytes))


def _pass_on(code: socket.socket, answers: BinaryIO) -> None:
    """Have the calls of tools answered, one by one, until either side leaves or makes no sense."""
    with code, contextlib.suppress(EOFError, OSError, ValueError):
        while True:
            (length,) = monitor.LENGTH.unpack(monitor.exactly(code, monitor.LENGTH.size))
            call = json.loads(monitor.exactly(code, length))
            _say("call", json.dumps(call).encode())
            answer = answers.readline()
            if not answer:
                return
            code.sendall(monitor.LENGTH.pack(len(answer)) + answer)


def _say(what: str, said: bytes | bytearray) -> None:
    with _SAYING:
        sys.stdout.buffer.write(b'{"%b": %b}\n' % (what.encode(), said))
        sys.stdout.buffer.flush()
