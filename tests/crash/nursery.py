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
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import orjson
import uvicorn

from eunoe import ids
from eunoe.app import create_app
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool
from eunoe.runs import jobs
from eunoe.runs.followups import FollowUps
from eunoe.runs.journal import RunJournal
from eunoe.runs.runner import Runner
from eunoe.runs.worker import Worker
from eunoe.settings import Settings
from eunoe.store import files
from eunoe.tools.catalog import ToolFunction

GRACE_S: Final = 2
LISTEN: Final = b"listen\n"
_PATIENCE: Final = {
    "HEARTBEAT_TIMEOUT": timedelta(seconds=2),
    "LOOK": timedelta(seconds=0.5),
}
"""How long the job engine of these servers waits before it takes up what a dead one held.

Shorter than it is for users, where nothing dies every second and nobody waits for it."""
METHODS: Final[dict[str, object]] = {
    "submit": Runner,
    "carry_out": Worker,
    "prepared": RunJournal,
    "answered": RunJournal,
    "calls_started": RunJournal,
    "call_ended": RunJournal,
    "settled": RunJournal,
    "begin": FollowUps,
    "advance": files,
}
"""Whose they are; between them lie all the places where a run can be (streaming 10.3)."""


def counter(file: Path) -> ToolFunction:
    """A tool that leaves a line for each time that it ran, whatever becomes of its process."""

    async def run(arguments: Json) -> str:
        line = f"{arguments['line']}\n".encode()
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, line)
        os.fsync(handle)
        os.close(handle)
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


def deadly(method: Callable[..., Awaitable[Any]], *, when: str, nth: int) -> Callable[..., Any]:
    """Return `method`, whose `nth` call ends the process as `kill -9` does."""
    calls = 0

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        dies = calls == nth
        if dies and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = await method(*args, **kwargs)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A server to be: `point` is `before:METHOD:N` or `after:METHOD:N`, the call that it dies at.

    METHOD is one of `METHODS`; `-` is no point at all.
    """

    url: str
    folder: str
    model_url: str
    point: str

    def written(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def of(cls, line: bytes) -> Self:
        return cls(**orjson.loads(line))


def serve(listener: socket.socket, start: Start) -> None:
    if start.point != "-":
        when, name, nth = start.point.split(":")
        owner = METHODS[name]
        setattr(owner, name, deadly(getattr(owner, name), when=when, nth=int(nth)))
    for name, patience in _PATIENCE.items():
        setattr(jobs, name, patience)
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
        provider_values={"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": start.model_url},
    )
    tool = counter(folder / "counted")
    app = create_app(settings, functions={tool.tool.name: tool})
    config = uvicorn.Config(
        app, lifespan="on", log_config=None, ws="none", timeout_graceful_shutdown=GRACE_S
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
