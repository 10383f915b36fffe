"""What is measured: one function a row, each with an agent of its own."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.client import Connection, Refused
from bench.processes import Process

_MODEL = "openai/scripted-1"
_PROBES = 100
EMBEDDING = "openai/text-embedding-3-small"
WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it is, what was measured, what it must and should be."""

    work: str
    measured: float
    unit: str
    must: str
    aim: str


@dataclass(slots=True)
class Bench:
    """A server to measure, and the scripted model server that it asks."""

    server: Process
    model: Process
    client: Connection
    n: int

    async def agent(self, agent_type: str = "letta_v1_agent", *, window: int | None = None) -> str:
        made = await self.client.json(
            "POST",
            "/v1/agents/",
            {
                "agent_type": agent_type,
                "model": _MODEL,
                "embedding": EMBEDDING,
                "context_window_limit": window,
                "memory_blocks": [
                    {"label": "human", "value": "The person's name is Load."},
                    {"label": "persona", "value": "I am a test agent."},
                ],
            },
        )
        return str(made["id"])

    async def say(self, agent: str, *texts: str, client: Connection | None = None) -> None:
        said = [{"role": "user", "content": text} for text in texts]
        path = f"/v1/agents/{agent}/messages"
        reply = await (client or self.client).json("POST", path, {"messages": said})
        if reply["stop_reason"]["stop_reason"] != "end_turn":
            raise RuntimeError(f"the run stopped for {reply['stop_reason']}")

    async def timed(self, work: Callable[[], Awaitable[object]], *, n: int | None = None) -> float:
        """Return the median of `n` runs of `work`, in ms, after three that do not count."""
        for _ in range(3):
            await work()
        spans: list[float] = []
        for _ in range(n or self.n):
            began = time.perf_counter()
            await work()
            spans.append((time.perf_counter() - began) * 1000)
        return statistics.median(spans)


async def message(bench: Bench) -> list[Row]:
    agent = await bench.agent()
    p50 = await bench.timed(lambda: bench.say(agent, "hello there"))
    began = bench.server.cpu_s
    await bench.timed(lambda: bench.say(agent, "hello there"))
    cpu = (bench.server.cpu_s - began) / (bench.n + 3) * 1000
    return [
        Row("message, one model step, concurrency 1: p50", p50, "ms", "≤ 10", "≤ 5"),
        Row("server CPU per message, concurrency 1", cpu, "ms", "≤ 6", "≤ 3"),
    ]


async def heartbeats(bench: Bench) -> list[Row]:
    """Measure the first two rows for an agent that answers through a tool."""
    agent = await bench.agent("memgpt_agent")
    p50 = await bench.timed(lambda: bench.say(agent, "hello there"))
    began = bench.server.cpu_s
    await bench.timed(lambda: bench.say(agent, "hello there"))
    cpu = (bench.server.cpu_s - began) / (bench.n + 3) * 1000
    return [
        Row("the same, answered through `send_message`: p50", p50, "ms", "≤ 10", "≤ 5"),
        Row("the same, answered through `send_message`: server CPU", cpu, "ms", "≤ 6", "≤ 3"),
    ]


async def throughput(bench: Bench, *, concurrency: int = 8) -> list[Row]:
    agents = [await bench.agent() for _ in range(concurrency)]
    clients = [Connection(bench.server.url) for _ in agents]

    async def worker(agent: str, client: Connection) -> None:
        for _ in range(bench.n):
            await bench.say(agent, "hello there", client=client)

    began, spent = time.perf_counter(), bench.server.cpu_s
    await asyncio.gather(*map(worker, agents, clients))
    rate = concurrency * bench.n / (time.perf_counter() - began)
    cpu = (bench.server.cpu_s - spent) / (concurrency * bench.n) * 1000
    for client in clients:
        await client.close()
    work = "messages/s, concurrency 8 (different agents)"
    return [
        Row(work, rate, "/s", "≥ 150", "≥ 300"),
        Row("server CPU per message, concurrency 8", cpu, "ms", "≤ 6", "≤ 3"),
    ]


async def first_token(bench: Bench) -> list[Row]:
    agent = await bench.agent()
    body = {"messages": [{"role": "user", "content": "hi"}], "streaming": True}
    spans: list[float] = []
    for _ in range(bench.n):
        began, first = time.perf_counter(), 0.0
        path = f"/v1/agents/{agent}/messages"
        async for event in bench.client.events(path, {**body, "stream_tokens": True}):
            if not first and b'"assistant_message"' in event:
                first = time.perf_counter() - began
        spans.append(first * 1000)
    work = "first streamed content (the model's first token comes at once): p50"
    return [Row(work, statistics.median(spans), "ms", "≤ 15", "≤ 8")]


async def six_steps(bench: Bench) -> list[Row]:
    agents = [await bench.agent() for _ in range(4)]
    turn = iter(range(10**6))
    p50 = await bench.timed(
        lambda: bench.say(agents[next(turn) % len(agents)], "STEPS 5"), n=max(10, bench.n // 4)
    )
    return [Row("six-step message (five tool calls): p50", p50, "ms", "≤ 60", "≤ 30")]


async def growth(bench: Bench, points: tuple[int, ...] = (10, 3_000, 10_000)) -> list[Row]:
    """Compare messages at several lengths of history, less the processor time of the model server.

    A model that takes no time is what the row assumes; this one reads all that it is sent, on the
    same cores.
    """
    agent = await bench.agent()
    stored, medians = 0, dict[int, float]()
    for point in points:
        while stored + 2 <= point:
            count = min(100, point - stored - 1)
            texts = [
                f"message {stored + k}: some words that fill the history" for k in range(count)
            ]
            await bench.say(agent, *texts)
            stored += count + 1
        began = bench.model.cpu_s
        p50 = await bench.timed(lambda: bench.say(agent, "probe"), n=_PROBES)
        model_ms = (bench.model.cpu_s - began) / (_PROBES + 3) * 1000
        medians[point] = p50 - model_ms
        stored += 2 * (_PROBES + 3)
    first = medians[points[0]]
    return [
        Row(
            f"message p50, without the model server, at {point:,} stored messages ÷ at {points[0]}",
            medians[point] / first,
            "",
            "≤ 1.2",
            "1.0",
        )
        for point in points[1:]
    ]


async def listing(bench: Bench) -> list[Row]:
    agent = await bench.agent()
    for start in range(0, 495, 99):
        await bench.say(agent, *(f"message {start + k}" for k in range(99)))
    p50 = await bench.timed(
        lambda: bench.client.json("GET", f"/v1/agents/{agent}/messages?limit=50")
    )
    return [Row("list 50 of 500 messages: p50", p50, "ms", "≤ 8", "≤ 4")]


async def agents(bench: Bench) -> list[Row]:
    create = await bench.timed(bench.agent)
    agent = await bench.agent()
    get = await bench.timed(lambda: bench.client.json("GET", f"/v1/agents/{agent}"))
    return [
        Row("agent create: p50", create, "ms", "≤ 12", "≤ 6"),
        Row("agent get: p50", get, "ms", "≤ 4", "≤ 2"),
    ]


async def archive_of(bench: Bench, agent: str, *, passages: int) -> str:
    """Fill the agent's archive; return its id."""

    def text(number: int) -> str:
        words = WORDS[number % 15], WORDS[number * 7 % 15], WORDS[number * 3 % 15]
        return f"fact {number}: the {words[0]} of the {words[1]} is near {words[2]}"

    await bench.client.json("POST", f"/v1/agents/{agent}/archival-memory", {"text": text(0)})
    archives = await bench.client.json("GET", f"/v1/archives/?agent_id={agent}")
    archive_id = str(archives[0]["id"])
    path = f"/v1/archives/{archive_id}/passages/batch"
    for start in range(1, passages, 500):
        batch = [{"text": text(k)} for k in range(start, min(start + 500, passages))]
        await bench.client.json("POST", path, {"passages": batch})
    return archive_id


async def archival(bench: Bench, *, passages: int = 10_000) -> list[Row]:
    agent = await bench.agent()
    await archive_of(bench, agent, passages=passages)
    search = f"/v1/agents/{agent}/archival-memory/search?query=gamma%20delta%20number&top_k=10"
    p50 = await bench.timed(lambda: bench.client.json("GET", search))
    work = "archival search over 10,000 passages, embedding included: p50"
    return [Row(work, p50, "ms", "≤ 20", "≤ 10")]


async def burst(bench: Bench, *, at_once: int = 8) -> list[Row]:
    """Send `at_once` messages to one agent; count the accepted ones that are not in its history."""
    agent = await bench.agent()
    clients = [Connection(bench.server.url) for _ in range(at_once)]

    async def one(number: int, client: Connection) -> str | None:
        try:
            await bench.say(agent, f"burst {number}", client=client)
        except Refused as refused:
            if refused.status != 409:
                raise
            return None
        return f"burst {number}"

    accepted = [text for text in await asyncio.gather(*map(one, range(at_once), clients)) if text]
    for client in clients:
        await client.close()
    shown = await bench.client.json("GET", f"/v1/agents/{agent}/messages?limit=100")
    said = {m["content"] for m in shown if m["message_type"] == "user_message"}
    lost = len(set(accepted) - said)
    work = f"8 parallel messages to one agent: lost of the {len(accepted)} accepted"
    return [Row(work, lost, "", "0", "0")]
