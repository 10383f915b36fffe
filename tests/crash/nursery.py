"""Starts servers that are going to be killed: imports everything once, then forks one a start.

A restart costs a fork and not two seconds of imports, so that a test can afford many. All
share one listening socket, as under a supervisor that holds it: while no server lives,
clients wait in the backlog.

    python -m tests.crash.nursery URL FOLDER     then one line on stdin for each start

A line is the point to die at, or `-`; each is answered with the new server's process id. A
point is `before:METHOD:N` or `after:METHOD:N`: the N-th call of one of `METHODS`.
"""

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import uvicorn

from eunoe import ids
from eunoe.app import create_app
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool
from eunoe.runs.followups import FollowUps
from eunoe.runs.journal import RunJournal
from eunoe.runs.runner import Runner
from eunoe.runs.worker import Worker
from eunoe.settings import Settings
from eunoe.store import files
from eunoe.tools.catalog import ToolFunction

GRACE_S: Final = 2
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


def serve(listener: socket.socket, *, url: str, folder: Path, model_url: str, point: str) -> None:
    if point != "-":
        when, name, nth = point.split(":")
        owner = METHODS[name]
        setattr(owner, name, deadly(getattr(owner, name), when=when, nth=int(nth)))
    settings = Settings(
        data_dir=folder,
        database_url=url,
        keepalive_s=600,
        shutdown_grace_s=GRACE_S,
        log_level="warning",
        log_format="json",
        provider_values={"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": model_url},
    )
    tool = counter(folder / "counted")
    app = create_app(settings, functions={tool.tool.name: tool})
    config = uvicorn.Config(
        app, lifespan="on", log_config=None, ws="none", timeout_graceful_shutdown=GRACE_S
    )
    uvicorn.Server(config).run(sockets=[listener])


def main(url: str, folder: str, model_url: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    # Children are waited for by nobody: the kernel takes them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(listener.getsockname()[1], flush=True)  # noqa: T201 -- what the test waits for
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            serve(listener, url=url, folder=Path(folder), model_url=model_url, point=line.strip())
            os._exit(0)
        print(child, flush=True)  # noqa: T201 -- what the test waits for


if __name__ == "__main__":
    main(*sys.argv[1:])
