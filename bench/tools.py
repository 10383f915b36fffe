"""What tools cost: a call in the sandbox, one of an MCP server, and files read and searched."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from bench import files
from bench.client import Connection
from bench.rows import EMBEDDING, Bench, Row
from eunoe.tools.programs import Limits, Program
from eunoe.tools.sandbox import Sandbox
from tests.fixtures.mcp import demo, mcp_http

_NOTES: Final = 1_000
_PDF_BYTES: Final = 10_000_000
_UPLOADS_AT_ONCE: Final = 4
_PATIENCE_S: Final = 900.0
_PROGRAM: Final = Program(
    name="double",
    function="double",
    source='def double(n: int) -> int:\n    """Double it."""\n    return 2 * n\n',
    schema={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
)


async def spans(work: Callable[[], Awaitable[object]], *, n: int) -> list[float]:
    """Return how long each of `n` runs took, in ms, shortest first."""
    found: list[float] = []
    for _ in range(n):
        began = time.perf_counter()
        await work()
        found.append((time.perf_counter() - began) * 1000)
    return sorted(found)


def p95(sorted_spans: list[float]) -> float:
    return sorted_spans[int(len(sorted_spans) * 0.95)]


async def sandbox(bench: Bench, *, at_once: int = 8, calls: int = 100) -> list[Row]:
    """Measure calls at the sandbox itself, in this process."""

    async def call(made: Sandbox) -> None:
        ran = await made.run(_PROGRAM, arguments={"n": 2})
        if not ran.ok:
            raise RuntimeError(ran.output)

    async def cold() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with Sandbox.opened(Path(folder), limits=Limits()) as fresh:
                await call(fresh)

    starts = await spans(cold, n=max(5, bench.n // 20))
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox.opened(Path(folder), limits=Limits()) as made:
            await spans(lambda: call(made), n=10)
            warm = await spans(lambda: call(made), n=bench.n)
            room = asyncio.Semaphore(at_once)

            async def one() -> None:
                async with room:
                    await call(made)

            began = time.perf_counter()
            await asyncio.gather(*(one() for _ in range(calls)))
            together = (time.perf_counter() - began) * 1000
    return [
        Row("sandbox call, warm: p50", statistics.median(warm), "ms", "≤ 5", ""),
        Row("sandbox call, warm: p95", p95(warm), "ms", "", ""),
        Row("sandbox call, cold: p50", statistics.median(starts), "ms", "", ""),
        Row("sandbox call, cold: p95", p95(starts), "ms", "", ""),
        Row(f"{calls} sandbox calls, {at_once} at a time", together, "ms", "", ""),
    ]


async def mcp(bench: Bench) -> list[Row]:
    """Measure a call of a tool that adds two numbers, from the API to its server and back."""
    stdio = {
        "mcp_server_type": "stdio",
        "command": sys.executable,
        "args": ["-m", "tests.fixtures.mcp"],
        "env": {"PYTHONPATH": str(Path(__file__).parents[1])},
    }
    found = await _calls(bench, "stdio", stdio)
    async with mcp_http(demo()) as served:
        http = {"mcp_server_type": "streamable_http", "server_url": served.url}
        return found + await _calls(bench, "streamable HTTP", http)


async def _calls(bench: Bench, kind: str, config: dict[str, Any]) -> list[Row]:
    body = {"server_name": f"bench-{config['mcp_server_type']}", "config": config}
    server = await bench.client.json("POST", "/v1/mcp-servers/", body)
    path = f"/v1/mcp-servers/{server['id']}/tools"
    tools = {one["name"]: one["id"] for one in await bench.client.json("GET", path)}

    async def call() -> None:
        said = await bench.client.json(
            "POST", f"{path}/{tools['add']}/run", {"args": {"a": 1, "b": 2}}
        )
        if said["status"] != "success":
            raise RuntimeError(said)

    await spans(call, n=5)
    took = await spans(call, n=bench.n)
    # The next one has tools of the same names.
    await bench.client.json("DELETE", f"/v1/mcp-servers/{server['id']}")
    return [
        Row(f"MCP call, {kind}: p50", statistics.median(took), "ms", "", ""),
        Row(f"MCP call, {kind}: p95", p95(took), "ms", "", ""),
    ]


async def reading(bench: Bench) -> list[Row]:
    """Have a large document and many small ones read, then search them as an agent does."""
    folder = await bench.client.json(
        "POST", "/v1/folders/", {"name": "bench", "embedding": EMBEDDING}
    )
    path = f"/v1/folders/{folder['id']}"
    document = files.pdf(pages=300, size=_PDF_BYTES)
    began = time.perf_counter()
    await bench.client.upload(f"{path}/upload", "document.pdf", document)
    await _settled(bench, path, 1)
    large = time.perf_counter() - began
    began = time.perf_counter()
    left = files.notes(_NOTES)
    clients = [Connection(bench.server.url) for _ in range(_UPLOADS_AT_ONCE)]

    async def uploading(client: Connection) -> None:
        for name, data in left:
            await client.upload(f"{path}/upload", name, data)
        await client.close()

    await asyncio.gather(*map(uploading, clients))
    await _settled(bench, path, _NOTES + 1)
    small = time.perf_counter() - began
    return [
        Row(f"a PDF of {_PDF_BYTES // 10**6} MB, 300 pages, read", large, "s", "", ""),
        Row(f"{_NOTES:,} Markdown files of 4 kB read", small, "s", "", ""),
        *await _searches(bench, folder["id"]),
    ]


async def _settled(bench: Bench, path: str, count: int) -> None:
    """Wait until so many files of the folder are read; raise where one cannot be."""
    until = time.perf_counter() + _PATIENCE_S
    while time.perf_counter() < until:
        states = list[str]()
        after = ""
        while page := await bench.client.json("GET", f"{path}/files?limit=500{after}"):
            states += [one["processing_status"] for one in page]
            after = f"&after={page[-1]['id']}"
        if "error" in states:
            raise RuntimeError("a file could not be read")
        if states.count("completed") >= count:
            return
        await asyncio.sleep(0.25)
    raise RuntimeError("the files were not read in time")


async def _searches(bench: Bench, folder_id: str) -> list[Row]:
    agent = await bench.agent()
    await bench.client.json("PATCH", f"/v1/agents/{agent}/folders/attach/{folder_id}")
    path = f"/v1/agents/{agent}/tools"
    turn = iter(range(10**6))

    async def call(name: str, arguments: dict[str, object]) -> None:
        said = await bench.client.json("POST", f"{path}/{name}/run", {"args": arguments})
        if said["status"] != "success":
            raise RuntimeError(said)

    n = max(20, bench.n // 4)
    searched = await spans(
        lambda: call("semantic_search_files", {"query": f"mark-{next(turn) % _NOTES:04}"}), n=n
    )
    grepped = await spans(
        lambda: call("grep_files", {"pattern": f"mark-{next(turn) % _NOTES:04}"}), n=n
    )
    return [
        Row("search of these files: p95", p95(searched), "ms", "", ""),
        Row("grep of these files: p95", p95(grepped), "ms", "", ""),
    ]
