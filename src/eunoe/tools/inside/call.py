"""Runs the function of a tool, or a piece of code, and says what came of it."""

import ast
import builtins
import importlib
import inspect
import io
import json
import linecache
import os
import resource
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Callable
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final, NoReturn

from . import arguments, results, states
from .node import become_node
from .tools import callable_tools

_FILE: Final = "<{name}>"
_REHEARSED: Final = json.dumps(
    {
        "name": "rehearsed",
        "function": "rehearsed",
        "source": "def rehearsed(at: int = 0, *, name: str | None = None) -> str: return str(at)",
        "libraries": {},
        "paths": [],
        "arguments": {"at": 1, "name": "a"},
        "environment": {"HOME": "/"},
        "agent_state": None,
        "agent_id": None,
    }
)
_MOST_OPEN: Final = 1024


def answer(request: dict[str, Any], channel: socket.socket, tools: socket.socket) -> NoReturn:
    """Do what the request asks and send what came of it; never returns.

    The code has other tools called over the second socket, those that the request names.

    Whatever the code left running ends with this process.
    """
    if "node" in request:
        resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_s"], request["cpu_s"]))
        become_node(request)
    _prepare(request)
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_s"], request["cpu_s"]))
    filename = _FILE.format(name=request["name"])
    try:
        said = _done(request, filename, callable_tools(request["tools"], tools))
    except BaseException as error:  # noqa: BLE001 -- it is the result
        said = _failure(error, filename)
    _flush()
    channel.sendall(json.dumps(said).encode("utf-8", "surrogatepass"))
    os.closerange(0, _MOST_OPEN)
    if os.getpid() == 1:
        # Whoever watches waits for what the code left running, and not until this process has been
        # taken down: it ends it, when the answer is on its way.
        os.kill(-1, signal.SIGKILL)
        signal.pause()
    os._exit(0)


def rehearse() -> None:
    """Run a tool that does nothing, so that what a call needs is there, and this process's own."""
    path = list(sys.path)
    request = json.loads(_REHEARSED)
    _prepare(request)
    said = _done(request, _FILE.format(name=request["name"]), {})
    json.dumps(said)
    _flush()
    linecache.cache.clear()
    sys.path[:] = path
    del sys.modules[_module_name(request["name"])]


def _prepare(request: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["name"]]
    warnings.simplefilter("ignore")  # as PYTHONWARNINGS has it, which is read at a start alone
    sys.path[:0] = [*request["paths"], ""]
    # The process was started with other files in their places.
    sys.stdout, sys.stderr = map(_stream, (1, 2))


def _stream(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )


def _done(request: dict[str, Any], filename: str, tools: dict[str, Any]) -> dict[str, Any]:
    module = _module(request["name"])
    # What a tool may name without importing it.
    exec("from typing import *", module.__dict__)
    module.__dict__.update(client=_client(), AgentState=states.AgentState, **tools)
    for name, source in request["libraries"].items():
        module.__dict__[name] = _library(name, source)
    if not request["function"]:
        values = _script(request["source"], filename, module)
        return {"ok": True, "output": {"results": values}}
    _remember(request["source"], filename)
    tree = ast.parse(request["source"], filename)
    module.__dict__.update(
        dict.fromkeys(_named(tree) - {*dir(builtins), *vars(module)}, arguments.Fields)
    )
    exec(compile(tree, filename, "exec", dont_inherit=True), module.__dict__)
    function = module.__dict__.get(request["function"])
    if not callable(function):
        raise NameError(f"the source defines no function `{request['function']}`")  # noqa: TRY004 -- as Python says it
    state = states.AgentState.of(request["agent_state"])
    extra = {"agent_state": state, "agent_id": request["agent_id"], "self": None, "cls": None}
    value = _called(function, request["arguments"], extra=extra)
    said = {"ok": True, **results.encoded(value)}
    after = None if state is None else state.plain()
    if after != request["agent_state"]:
        said["agent_state"] = after
    return said


def _named(tree: ast.Module) -> set[str]:
    """Return what its functions are annotated with, some of which may have stayed with a client."""
    functions = [
        one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    notes = [one for each in functions for one in (each.args, each.returns) if one is not None]
    return {one.id for note in notes for one in ast.walk(note) if isinstance(one, ast.Name)}


def _called(function: Callable[..., Any], given: dict[str, Any], *, extra: dict[str, Any]) -> Any:
    positional, named = arguments.bound(function, given, extra=extra)
    value = function(*positional, **named)
    if not inspect.isawaitable(value):
        return value
    import asyncio  # noqa: PLC0415 -- a process that has it costs a fork a tenth more

    return asyncio.run(_awaited(value))


async def _awaited(value: Any) -> Any:
    return await value


def _script(source: str, filename: str, module: ModuleType) -> list[str]:
    """Run the code as a notebook's cell: the value of a last expression is what it comes to."""
    tree = ast.parse(source, filename)
    _remember(source, filename)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, filename, "exec"), module.__dict__)
    if not isinstance(last, ast.Expr):
        return []
    value = eval(compile(ast.Expression(last.value), filename, "eval"), module.__dict__)
    return [] if value is None else [value if isinstance(value, str) else repr(value)]


def _library(name: str, source: str) -> Any:
    module = _module(name)
    exec(_compiled(source, _FILE.format(name=name)), module.__dict__)
    return module.__dict__.get(name)


def _module(name: str) -> ModuleType:
    """Return a module that is known by its name, as data classes need their own to be."""
    module = ModuleType(_module_name(name))
    module.__dict__["__builtins__"] = __builtins__
    sys.modules[module.__name__] = module
    return module


def _module_name(name: str) -> str:
    return f"tool_{name}"


def _compiled(source: str, filename: str) -> CodeType:
    _remember(source, filename)
    return compile(source, filename, "exec", dont_inherit=True)


def _remember(source: str, filename: str) -> None:
    """Let tracebacks show the lines."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)


def _client() -> Any:
    """Return the official client, where the environment has it and what it needs (X27).

    By itself it would send the key to a service elsewhere.
    """
    key, url = os.environ.get("LETTA_API_KEY"), os.environ.get("LETTA_BASE_URL")
    if not key or not url:
        return None
    try:
        library = importlib.import_module("letta_client")
    except ImportError:
        return None
    return library.Letta(api_key=key, base_url=url)


def _failure(error: BaseException, filename: str) -> dict[str, Any]:
    """Return what is told of an error: the lines of the code that raised it, and none of ours."""
    _trim(error, filename)
    trace = "".join(traceback.format_exception(error))
    return {"ok": False, "error": type(error).__name__, "message": str(error), "trace": trace}


def _trim(error: BaseException, filename: str) -> None:
    at: TracebackType | None = error.__traceback__
    while at is not None and at.tb_frame.f_code.co_filename != filename:
        at = at.tb_next
    error.__traceback__ = at


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
