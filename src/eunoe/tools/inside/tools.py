"""The agent's other tools, as functions that code may call."""

import json
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

_LENGTH: Final = struct.Struct(">I")


class ToolError(Exception):
    """A tool failed, or may not be called; the text says why."""


def callable_tools(named: Mapping[str, Sequence[str]], line: socket.socket) -> dict[str, Any]:
    """Return a function for each tool, which takes its arguments by place or by name."""
    if not named:
        return {}
    lock = threading.Lock()

    def function(name: str, parameters: Sequence[str]) -> Any:
        def tool(*given: Any, **more: Any) -> Any:
            if len(given) > len(parameters):
                raise TypeError(f"{name}() takes {len(parameters)} arguments, not {len(given)}")
            arguments = dict(zip(parameters, given, strict=False)) | more
            with lock:
                return _called(line, name, arguments)

        tool.__name__ = tool.__qualname__ = name
        return tool

    functions = {name: function(name, parameters) for name, parameters in named.items()}
    return {"ToolError": ToolError, **functions}


def _called(line: socket.socket, name: str, arguments: dict[str, Any]) -> Any:
    asked = json.dumps({"name": name, "arguments": arguments}).encode("utf-8", "surrogatepass")
    line.sendall(_LENGTH.pack(len(asked)) + asked)
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    answer = json.loads(_exactly(line, length))
    if answer["ok"] is not True:
        raise ToolError(str(answer["output"]))
    return answer["output"]


def _exactly(line: socket.socket, length: int) -> bytes:
    got = line.recv(length, socket.MSG_WAITALL)
    if len(got) < length:
        raise ToolError("the server does not answer any more")
    return got
