"""`python -m bench --soak 60`: an hour of mixed requests to two processes on one PostgreSQL.

The requests keep to a clock and not to each other, and are timed from the moment they were due:
a server that falls behind shows it. Windows are small, so that histories are compacted all along.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import conversing
from bench.client import Connection, Refused
from bench.processes import Process, eunoe_server, model_server
from bench.rows import Bench

_RATE = 20
"""Requests a second."""
_AGENTS = 100
_WINDOW = 12_000
"""Tokens: small enough that each history is compacted a few times an hour."""
_SAMPLE_S = 10.0
_SLOW_MS = 1_000
_FAILURES = (Refused, RuntimeError, OSError, EOFError)
_SHARE = 6
"""In so many parts the time is shown."""


@dataclass(slots=True)
class Soak:
    """What was asked of the servers, when it was due, and what it took."""

    servers: Sequence[Process]
    agents: list[str] = field(default_factory=list[str])
    spans: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """Seconds into the soak, and milliseconds from being due to the end of the answer."""
    memory: list[tuple[float, list[float]]] = field(default_factory=list[tuple[float, list[float]]])
    errors: list[str] = field(default_factory=list[str])
    free: list[list[Connection]] = field(default_factory=list[list[Connection]])

    @asynccontextmanager
    async def connected(self, number: int) -> AsyncGenerator[Connection]:
        """Lend a connection to one of the servers, in turn."""
        which = number % len(self.servers)
        connection = (
            self.free[which].pop() if self.free[which] else Connection(self.servers[which].url)
        )
        try:
            yield connection
        except _FAILURES:
            await connection.close()
            raise
        self.free[which].append(connection)


async def _say(client: Connection, agent: str, number: int) -> None:
    text = f"message {number}: the kettle is on, and the rain has not stopped since noon"
    body = {"messages": [{"role": "user", "content": text}]}
    reply = await client.json("POST", f"/v1/agents/{agent}/messages", body)
    if reply["stop_reason"]["stop_reason"] != "end_turn":
        raise RuntimeError(f"the run stopped for {reply['stop_reason']}")


async def _call(client: Connection, agent: str, number: int) -> None:
    body = {"messages": [{"role": "user", "content": "STEPS 2"}]}
    await client.json("POST", f"/v1/agents/{agent}/messages", body)


async def _stream(client: Connection, agent: str, number: int) -> None:
    said = [{"role": "user", "content": f"stream {number}"}]
    body = {"messages": said, "streaming": True, "stream_tokens": True}
    last = b""
    async for event in client.events(f"/v1/agents/{agent}/messages", body):
        last = event
    if last != b"[DONE]":
        raise RuntimeError(f"the stream ended with {last[:200]!r}")


async def _read(client: Connection, agent: str, number: int) -> None:
    await client.json("GET", f"/v1/agents/{agent}/messages?limit=50")


async def _get(client: Connection, agent: str, number: int) -> None:
    await client.json("GET", f"/v1/agents/{agent}")


async def _edit(client: Connection, agent: str, number: int) -> None:
    body = {"value": f"The person's name is Load, as of {number}."}
    await client.json("PATCH", f"/v1/agents/{agent}/core-memory/blocks/human", body)


async def _remember(client: Connection, agent: str, number: int) -> None:
    body = {"text": f"fact {number}: the ferry leaves from the third pier"}
    await client.json("POST", f"/v1/agents/{agent}/archival-memory", body)


async def _search(client: Connection, agent: str, number: int) -> None:
    await client.json("GET", f"/v1/agents/{agent}/archival-memory/search?query=ferry%20pier")


Ask = Callable[[Connection, str, int], Awaitable[None]]
# Twenty requests, and so one second of the usual rate.
_MIX: tuple[Ask, ...] = (
    _say, _say, _stream, _say, _read, _say, _say, _stream, _get, _say,
    _say, _call, _say, _read, _say, _edit, _stream, _say, _remember, _search,
)  # fmt: skip


async def _one(soak: Soak, number: int, due: float, began: float) -> None:
    # The step through the agents has no common factor with the mix: each agent gets every kind.
    agent = soak.agents[number * 7 % len(soak.agents)]
    ask = _MIX[number % len(_MIX)]
    try:
        async with soak.connected(number) as client:
            await ask(client, agent, number)
    except _FAILURES as error:
        soak.errors.append(f"{due - began:.0f} s, {ask.__name__}: {error!r}")
    ms = (time.perf_counter() - due) * 1000
    soak.spans.append((due - began, ms))
    if ms > _SLOW_MS:
        print(f"{due - began:.1f} s: {ask.__name__} took {ms:.0f} ms", flush=True)


async def _sampled(soak: Soak, began: float) -> None:
    while True:
        at = time.perf_counter() - began
        soak.memory.append((at, [server.memory_mib for server in soak.servers]))
        if len(soak.memory) % 30 == 1:
            held = ", ".join(f"{one:.1f}" for one in soak.memory[-1][1])
            print(f"{at / 60:.0f} min: {held} MiB, {len(soak.errors)} errors", flush=True)
        await asyncio.sleep(_SAMPLE_S)


async def _asked(servers: Sequence[Process], model: Process, *, seconds: float) -> Soak:
    """Ask `_RATE` times a second, and wait for what is still under way at the end."""
    soak = Soak(servers, free=[[] for _ in servers])
    first = Connection(servers[0].url)
    bench = Bench(servers[0], model, first, 0)
    soak.agents = [await bench.agent(window=_WINDOW) for _ in range(_AGENTS)]
    await first.close()
    began = time.perf_counter()
    sampling = asyncio.create_task(_sampled(soak, began))
    async with asyncio.TaskGroup() as group:
        for number in range(int(_RATE * seconds)):
            due = began + number / _RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(_one(soak, number, due, began))
    sampling.cancel()
    for connection in (one for kept in soak.free for one in kept):
        await connection.close()
    return soak


def _table(soak: Soak, *, seconds: float) -> str:
    """Return a row for each part of the time: requests, latencies and the servers' memory."""
    part = seconds / _SHARE
    lines = [
        "| Minutes | Requests | p50 ms | p95 ms | p99 ms | Memory MiB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for number in range(_SHARE):
        low, high = number * part, (number + 1) * part
        spans = sorted(ms for at, ms in soak.spans if low <= at < high)
        cuts = statistics.quantiles(spans, n=100)
        held = [memory for at, memory in soak.memory if low <= at < high]
        mean = ", ".join(f"{statistics.mean(one):.1f}" for one in zip(*held, strict=True))
        lines.append(
            f"| {low / 60:.0f} to {high / 60:.0f} | {len(spans)} | {cuts[49]:.1f} | {cuts[94]:.1f} "
            f"| {cuts[98]:.1f} | {mean} |"
        )
    return "\n".join([*lines, "", f"Errors: {len(soak.errors)}.", *soak.errors[:20]])


async def soaked(*, minutes: float) -> str:
    """Return what a soak of that length came to: a table, and what it cost."""
    seconds = minutes * 60
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(conversing.database("postgresql", folder))
        model = await stack.enter_async_context(model_server())
        servers = [
            await stack.enter_async_context(
                eunoe_server(model.url, data_dir=Path(folder), database_url=url)
            )
            for _ in range(2)
        ]
        spent = sum(server.cpu_s for server in servers)
        soak = await _asked(servers, model, seconds=seconds)
        cpu = (sum(server.cpu_s for server in servers) - spent) / len(soak.spans) * 1000
    return f"{_table(soak, seconds=seconds)}\n\nCPU of the servers: {cpu:.2f} ms a request."
