"""Everything that opens a connection to somewhere else is known here, with who says where to.

An address that a caller names is looked up, checked, and connected to as checked: by
`runs/outbound`, `tools/mcp_http` or `llm/reach`. A client that is made anywhere else fails here
until it is one of these, or goes only where the operator says.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.house.tree import SERVER, name, python_files

_HTTP: Final = ("httpx", "httpx2")
MAKERS: Final = frozenset(
    {
        *(f"{one}.{what}" for one in _HTTP for what in ("AsyncClient", "Client")),
        *(f"{one}.{what}" for one in _HTTP for what in ("AsyncHTTPTransport", "HTTPTransport")),
        *(f"{one}.{verb}" for one in _HTTP for verb in ("get", "post", "put", "request", "stream")),
        "anthropic.AsyncAnthropic",
        "asyncio.open_connection",
        "boto3.Session",
        "eunoe.llm.connection.client",
        "eunoe.llm.transport.KeptTransport",
        "eunoe.runs.outbound.Outbound",
        "eunoe.service.images.ImageFetcher",
        "eunoe.tools.mcp_http.http_client",
        "openai.AsyncOpenAI",
        "socket.create_connection",
        "urllib.request.urlopen",
    }
)
"""What makes a connection or a client, by its full name."""
CONNECTS: Final = frozenset({"create_connection", "create_datagram_endpoint", "open_connection"})
"""Methods that do, of an object whose type is not looked up."""
FOREIGN: Final = frozenset(
    {"aiohttp", "ftplib", "http.client", "paramiko", "requests", "smtplib", "urllib3", "websockets"}
)
"""Libraries that would be another way out."""

CHECKED: Final = {
    "http/seed.py": "images, by `runs/outbound`",
    "llm/connection.py": "of a brought provider, with its `reach`",
    "llm/sources.py": "of a brought provider, with its `reach`",
    "llm/transport.py": "connects to what `reach` has checked",
    "llm/vendor_capture.py": "sends to what `reach` has checked",
    "llm/vendor_clients.py": "of a brought provider, over a transport with its `reach`",
    "runs/outbound.py": "the client of callbacks and images, which checks and pins",
    "service/images.py": "images, by `runs/outbound`",
    "tools/mcp_client.py": "MCP servers, by `tools/mcp_http`",
    "tools/mcp_http.py": "the client of MCP servers, which checks and pins",
}
OPERATORS: Final = {
    "app.py": "makes the callbacks' and the images' clients, of `runs/outbound`",
    "cli/client.py": "a command, to the server that its user names",
    "llm/local_download.py": "weights of local models, from addresses in the source or a setting",
    "llm/local_model.py": "the local model's own process, on loopback",
    "tools/mcp_serving.py": "the command `eunoe mcp`, to the server that its user names",
}


def names(tree: ast.Module) -> dict[str, str]:
    """Return what each imported name stands for in full."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=imported):
                found |= {one.asname or one.name: one.name for one in imported}
            case ast.ImportFrom(module=str(module), names=imported):
                found |= {one.asname or one.name: f"{module}.{one.name}" for one in imported}
            case (
                ast.Assign(
                    targets=[ast.Name(id=target)],
                    value=ast.Call(args=[ast.Constant(value=str(module))]),
                )
                | ast.AnnAssign(
                    target=ast.Name(id=target),
                    value=ast.Call(args=[ast.Constant(value=str(module))]),
                )
            ):
                found[target] = module  # A module that is imported when it is first needed.
            case _:
                pass
    return found


def ways_out(source: str) -> Iterator[str]:
    """Yield what in a source makes a connection, or brings a library that does."""
    tree = ast.parse(source)
    known = names(tree)
    yield from (full for full in known.values() if _is_foreign(full))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=called)):
                full = known.get(called, called)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=called)):
                full = f"{known.get(owner, owner)}.{called}"
            case ast.ClassDef(bases=[ast.Attribute(value=ast.Name(id=owner), attr=called)]):
                full = f"{known.get(owner, owner)}.{called}"
            case _:
                continue
        if full in MAKERS or full.rpartition(".")[2] in CONNECTS:
            yield full


def _is_foreign(full: str) -> bool:
    return any(full == one or full.startswith(f"{one}.") for one in FOREIGN)


def _server() -> list[Path]:
    package = name(SERVER)
    return [
        path
        for path in python_files(package)
        # What runs inside the sandbox has its own network, or none; the fakes are for tests.
        if not path.is_relative_to(SERVER / "testing")
        and not path.is_relative_to(SERVER / "tools" / "inside")
    ]


@pytest.mark.rule("L6", "api-16.2", "api-18.3")
def test_every_way_out_is_known() -> None:
    found = {
        path.relative_to(SERVER).as_posix(): sorted(set(ways_out(path.read_text(encoding="utf-8"))))
        for path in _server()
    }
    found = {file: ways for file, ways in found.items() if ways}
    assert found.keys() == CHECKED.keys() | OPERATORS.keys(), found


@pytest.mark.parametrize(
    "source",
    [
        "import httpx\nhttpx.get(url)",
        "import httpx as web\nweb.AsyncClient()",
        "from httpx2 import AsyncClient\nAsyncClient()",
        "import aiohttp",
        "from http.client import HTTPConnection",
        "from urllib.request import urlopen\nurlopen(url)",
        "await loop.create_connection(make, host, 80)",
        "import asyncio\nasyncio.open_connection(host, 80)",
        "boto3 = importlib.import_module('boto3')\nboto3.Session()",
        "import httpx\nclass Mine(httpx.AsyncClient): ...",
        "from eunoe.runs.outbound import Outbound\nOutbound(allow_private=True)",
    ],
)
def test_the_rule_itself(source: str) -> None:
    assert list(ways_out(source))


def test_types_and_questions_are_no_ways_out() -> None:
    source = "import httpx\ntry: f()\nexcept httpx.HTTPError: pass\nx = httpx.URL('a')\n"
    assert list(ways_out(source)) == []
