"""`python -m bench.scale`: the slow end of every list and search, over a server that is full.

A thousand agents, a hundred thousand messages in ten thousand runs, ten thousand passages and a
thousand tools; each list is asked `-n` times for its first page, with another agent each time
where it is an agent's.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import conversing
from bench.client import Connection
from bench.processes import eunoe_server, model_server
from bench.rows import Bench, archive_of
from eunoe import ids
from eunoe.domain.messages import Message, Text
from eunoe.domain.runs import Run, Step
from eunoe.domain.tools import Tool
from eunoe.store import lists, runs, steps, tools
from eunoe.store.database import open_database
from eunoe.store.db import Actor, Database, Tx
from eunoe.store.runs import Origin

AGENTS: Final = 1_000
TURNS: Final = 10
SAID: Final = 10
PASSAGES: Final = 10_000
TOOLS: Final = 1_000
LIMIT_MS: Final = 50.0
Asked = tuple[str, str, dict[str, object] | None]
"""Method, path with `{agent}` in it where it is to be another one each time, and body."""

_RELATIONS: Final = "&".join(
    f"include=agent.{one}" for one in ("blocks", "tags", "tools", "managed_group")
)


async def _agents(bench: Bench) -> list[str]:
    """Make the agents, of which every tenth has a tag and every hundredth another."""
    made: list[str] = []
    for number in range(AGENTS):
        answer = await bench.client.json(
            "POST",
            "/v1/agents/",
            {
                "name": f"agent {number:04}",
                "model": "openai/scripted-1",
                "embedding": "openai/text-embedding-3-small",
                "tags": [f"tenth-{number % 10}", f"hundredth-{number % 100}"],
                "memory_blocks": [
                    {"label": "human", "value": f"The person has the number {number}."},
                    {"label": "persona", "value": "I am one of many."},
                ],
            },
        )
        made.append(str(answer["id"]))
    return made


async def _history(db: Database, agent_ids: Sequence[str]) -> None:
    """Store what was said with each agent, as its runs would have done."""
    for agent_id in agent_ids:
        async with db.write(Actor()) as tx:
            for turn in range(TURNS):
                await _turn(tx, agent_id, turn)
    async with db.write(Actor()) as tx:
        await tx.execute("ANALYZE")


async def _turn(tx: Tx, agent_id: str, turn: int) -> None:
    now = datetime.now(UTC)
    run = Run(id=ids.new("run"), agent_id=agent_id, list_id=agent_id, created_at=now)
    step = Step(
        id=ids.new("step"), run_id=run.id, agent_id=agent_id, status="success", created_at=now
    )
    await runs.insert(tx, run, Origin())
    await runs.end(
        tx, replace(run, status="completed", stop_reason="end_turn", completed_at=now, step_count=1)
    )
    await steps.insert(tx, step)
    await lists.append(
        tx,
        agent_id,
        [
            Message(
                id=ids.new("message"),
                role="assistant" if number % 2 else "user",
                agent_id=agent_id,
                run_id=run.id,
                step_id=step.id if number % 2 else None,
                content=(Text(text=f"In turn {turn} this is the line number {number}."),),
                created_at=now,
            )
            for number in range(SAID)
        ],
    )


async def _tools(db: Database) -> None:
    async with db.write(Actor()) as tx:
        for number in range(TOOLS):
            await tools.upsert(
                tx,
                Tool(
                    id=ids.new("tool"),
                    name=f"look_up_{number:04}",
                    tool_type="custom",
                    description=f"Looks up what has the number {number}.",
                    parameters={"type": "object", "properties": {}},
                    tags=(f"tenth-{number % 10}",),
                    source_type="json",
                ),
            )


def _asked(agent_ids: Sequence[str], archive_id: str) -> Iterator[Asked]:
    """Yield every list and search."""
    for path in (
        "/v1/agents/?limit=100",
        f"/v1/agents/?limit=100&{_RELATIONS}",
        "/v1/agents/?limit=50&tags=tenth-3&tags=hundredth-13&match_all_tags=true",
        "/v1/agents/?limit=50&query_text=agent%2009",
        "/v1/agents/?limit=50&order=asc",
        f"/v1/agents/?limit=50&after={agent_ids[AGENTS // 2]}",
        "/v1/agents/count",
        "/v1/agents/{agent}",
        "/v1/agents/{agent}/messages?limit=50",
        "/v1/agents/{agent}/tools",
        "/v1/agents/{agent}/core-memory/blocks",
        "/v1/messages/?limit=50",
        "/v1/blocks/?limit=50",
        "/v1/blocks/?limit=50&label=human&label_search=hum",
        "/v1/blocks/count",
        "/v1/tools/?limit=50",
        "/v1/tools/?limit=50&search=look_up_09",
        "/v1/tools/count",
        "/v1/archives/?limit=50",
        f"/v1/archives/?agent_id={agent_ids[0]}",
        f"/v1/agents/{agent_ids[0]}/archival-memory?limit=50",
        f"/v1/agents/{agent_ids[0]}/archival-memory/search?query=gamma%20delta&top_k=10",
        "/v1/runs/?limit=50",
        "/v1/runs/?agent_id={agent}&limit=50",
        "/v1/steps/?limit=50",
        "/v1/steps/?agent_id={agent}&limit=50",
        "/v1/conversations/?agent_id={agent}",
        "/v1/tags/?limit=50",
        "/v1/groups/?limit=50",
        "/v1/models/",
    ):
        yield "GET", path, None
    yield "POST", "/v1/messages/search", {"query": "line number", "search_mode": "fts", "limit": 50}
    yield "POST", "/v1/agents/messages/search", {"agent_id": "{agent}", "query": "line number"}
    yield "POST", "/v1/passages/search", {"query": "gamma delta", "archive_id": archive_id}


async def _slow_end(
    client: Connection, agent_ids: Sequence[str], asked: Asked, *, n: int
) -> tuple[float, float]:
    """Return the median and the 95th percentile of `n` requests, in ms."""
    method, path, body = asked
    spans: list[float] = []
    for number in range(n + 3):
        agent_id = agent_ids[number * 37 % len(agent_ids)]
        given = body and {k: agent_id if v == "{agent}" else v for k, v in body.items()}
        began = time.perf_counter()
        await client.json(method, path.replace("{agent}", agent_id), given)
        spans.append((time.perf_counter() - began) * 1000)
    spans = sorted(spans[3:])
    return statistics.median(spans), spans[int(len(spans) * 0.95) - 1]


async def measured(engine: str, *, n: int) -> list[tuple[str, float, float]]:
    """Fill a server on `engine` and return each request with its median and slow end in ms."""
    found: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as folder, conversing.database(engine, folder) as url:
        async with model_server() as model:
            home = Path(folder)
            async with eunoe_server(model.url, data_dir=home, database_url=url) as server:
                bench = Bench(server, model, Connection(server.url), n)
                agent_ids = await _agents(bench)
                archive_id = await archive_of(bench, agent_ids[0], passages=PASSAGES)
                await bench.client.close()
            db = await open_database(url or f"sqlite:///{home / 'eunoe.db'}")
            await _history(db, agent_ids)
            await _tools(db)
            await db.close()
            async with eunoe_server(model.url, data_dir=home, database_url=url) as server:
                client = Connection(server.url)
                for asked in _asked(agent_ids, archive_id):
                    spans = await _slow_end(client, agent_ids, asked, n=n)
                    name = asked[1].replace(agent_ids[0], "{one}").split("&after=")[0]
                    found.append((f"{asked[0]} {name}", *spans))
                await client.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure every list and search of a full server.")
    parser.add_argument("--database", default="sqlite,postgresql", help="engines to measure")
    parser.add_argument("-n", type=int, default=40, help="requests a list")
    chosen = parser.parse_args()
    for engine in chosen.database.split(","):
        print(f"## {engine}\n\n| Request | p50 ms | p95 ms | |\n| --- | --- | --- | --- |")
        for name, middle, slow in asyncio.run(measured(engine, n=chosen.n)):
            late = "" if slow <= LIMIT_MS else f"over {LIMIT_MS:.0f}"
            print(f"| `{name}` | {middle:.1f} | {slow:.1f} | {late} |", flush=True)


if __name__ == "__main__":
    main()
