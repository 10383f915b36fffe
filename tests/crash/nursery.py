"""Starts servers that are going to be killed: imports everything once, then forks one a start.

A restart costs a fork and not three seconds of imports, so that a test can afford many. Those
of one test share a listening socket, as under a supervisor that holds it: while no server
lives, clients wait in the backlog.

    python -m tests.crash.nursery

Each line on stdin is answered with one. `listen` opens the socket of the next test, and is
answered with its port. The JSON of a `Start` starts a server, and is answered with its process
id; a server that is still there is for its test to end.
"""

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import orjson
import uvicorn

from eunoe import ids
from eunoe.app import create_app
from eunoe.cli.stopping import draining_first
from eunoe.domain.messages import Json
from eunoe.domain.runs import Run
from eunoe.domain.tools import Tool
from eunoe.runs import callbacks, jobs
from eunoe.runs.callbacks import Callbacks
from eunoe.runs.followups import FollowUps
from eunoe.runs.jobs import Engine
from eunoe.runs.journal import RunJournal
from eunoe.runs.runner import Runner
from eunoe.settings import Settings
from eunoe.store import files, runs, sqlite_connection
from eunoe.tools.catalog import ToolFunction
from tests.crash.gates import ANYBODY, passed

GRACE_S: Final = 2
LISTEN: Final = b"listen\n"
_PATIENCE: Final = (
    (jobs, "HEARTBEAT_TIMEOUT", timedelta(seconds=2)),
    (jobs, "LOOK", timedelta(seconds=0.5)),
    (jobs, "SCAN_S", 1.0),
    (callbacks, "_LEASE", timedelta(seconds=2)),
    (sqlite_connection, "BUSY_TIMEOUT_MS", 300),
)
"""How long these servers wait before they take up what a dead one held, and for a locked file.

Shorter than it is for users, where nothing dies every second and nobody waits for it."""
METHODS: Final[dict[str, object]] = {
    "submit": Runner,
    "runs.insert": runs,
    "runs.advance": runs,
    "runs.call_started": runs,
    "runs.calls_settled": runs,
    "enqueued": Engine,
    "prepared": RunJournal,
    "answered": RunJournal,
    "calls_started": RunJournal,
    "call_ended": RunJournal,
    "compacted": RunJournal,
    "settled": RunJournal,
    "begin": FollowUps,
    "carry_out": Callbacks,
    "files.advance": files,
}
"""Whose they are; a gate stands before and after each of them (see `gates`).

Between them lie all the places where a run can be (streaming 10.3)."""
_OWN: ContextVar[tuple[str, int]] = ContextVar("_OWN", default=(ANYBODY, 0))
"""Whose run a task is at work on, an agent's id, and its fence."""


def counter(file: Path, port: int) -> ToolFunction:
    """A tool that leaves a line for each time that it ran, whatever becomes of its process."""

    async def run(arguments: Json) -> str:
        line = f"{arguments['line']}\n".encode()
        await passed(port, "before:tool", *_OWN.get())
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, line)
        os.fsync(handle)
        os.close(handle)
        await passed(port, "after:tool", *_OWN.get())
        return "counted"

    parameters: Json = {
        "type": "object",
        "properties": {"line": {"type": "string"}},
        "required": ["line"],
    }
    tool = Tool(
        id=ids.new("tool"),
        name="append_counter",
        tool_type="custom",
        description="Count.",
        parameters=parameters,
    )
    return ToolFunction(tool=tool, run=run)


def gated(
    method: Callable[..., Awaitable[Any]], *, name: str, port: int
) -> Callable[..., Awaitable[Any]]:
    """Return `method` with a gate before it and one after it."""

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        for one in args:
            if isinstance(one, Run):
                _OWN.set((one.agent_id, one.fence))
        await passed(port, f"before:{name}", *_OWN.get())
        done = await method(*args, **kwargs)
        await passed(port, f"after:{name}", *_OWN.get())
        return done

    return wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A server to be; the test keeps its gates at the port `gates`."""

    url: str
    folder: str
    model_url: str
    gates: int

    def written(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def of(cls, line: bytes) -> Self:
        return cls(**orjson.loads(line))


def serve(listener: socket.socket, start: Start) -> None:
    for name, owner in METHODS.items():
        own = name.rpartition(".")[2]
        setattr(owner, own, gated(getattr(owner, own), name=name, port=start.gates))
    for module, name, patience in _PATIENCE:
        setattr(module, name, patience)
    folder = Path(start.folder)
    os.environ["HOME"] = start.folder
    with (folder / "log").open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    settings = Settings(
        data_dir=folder,
        database_url=start.url,
        keepalive_s=600,
        shutdown_grace_s=GRACE_S,
        log_level="warning",
        log_format="json",
        callback_private_hosts=True,
        provider_values={"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": start.model_url},
    )
    tool = counter(folder / "counted", start.gates)
    app = create_app(settings, functions={tool.tool.name: tool}, around=draining_first)
    config = uvicorn.Config(
        app, lifespan="on", log_config=None, ws="none", timeout_graceful_shutdown=GRACE_S + 2
    )
    uvicorn.Server(config).run(sockets=[listener])


def _forked(listener: socket.socket, start: Start) -> int:
    child = os.fork()
    if child:
        return child
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    serve(listener, start)
    os._exit(0)


def main() -> None:
    # Children are waited for by nobody: the kernel takes them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket()
    for line in sys.stdin.buffer:
        if line == LISTEN:
            listener.close()
            listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            answer = listener.getsockname()[1]
        else:
            answer = _forked(listener, Start.of(line))
        print(answer, flush=True)  # noqa: T201 -- what the test waits for


if __name__ == "__main__":
    main()
