"""`python -m bench`: measure the rows, print them, and write `docs/benchmarks.md`."""

import argparse
import asyncio
import logging
import os
import platform
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import conversing, footprint, rows, soak, tools
from bench.client import Connection
from bench.processes import Process, eunoe_server, model_server
from bench.rows import Bench, Row

Measure = Callable[[Bench], Awaitable[list[Row]]]
MEASURES: dict[str, Measure] = {
    "message": rows.message,
    "heartbeats": rows.heartbeats,
    "throughput": rows.throughput,
    "first_token": rows.first_token,
    "six_steps": rows.six_steps,
    "growth": rows.growth,
    "listing": rows.listing,
    "agents": rows.agents,
    "archival": rows.archival,
    "burst": rows.burst,
}
TOOLS: dict[str, Measure] = {"sandbox": tools.sandbox, "mcp": tools.mcp, "files": tools.reading}
TWO = ("message", "throughput", "first_token", "six_steps")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


async def measured(names: list[str], *, database: str, n: int) -> list[Row]:
    """Return the rows, from a server of their own on a database of their own."""
    with _place(database) as (folder, url):
        async with _serving(folder, url) as (warm, model):
            found = await footprint.idle(warm)
            found += await _rows(names, MEASURES, warm, model, n=n, title=database)
        async with _serving(folder, url) as (again, _):
            # The second start is the cold start of every day: the schema is there already.
            found.append(
                Row("cold start to healthy", again.start_s * 1000, "ms", "≤ 2000", "≤ 1000")
            )
    found += await footprint.statements(database)
    return found


async def measured_tools(names: list[str], *, database: str, n: int) -> list[Row]:
    """Return the rows of tools, from a server of their own on a database of their own."""
    with _place(database) as (folder, url):
        async with _serving(folder, url) as (server, model):
            return await _rows(names, TOOLS, server, model, n=n, title=database)


async def measured_two(names: list[str], *, database: str, n: int) -> list[Row]:
    """Return the rows of a server of two processes, which take messages in turn."""
    with _place(database) as (folder, url):
        async with _serving(folder, url, workers=2) as (server, model):
            found = await footprint.idle(server)
            title = f"{database}, two"
            return found + await _rows(names, MEASURES, server, model, n=n, title=title)


@contextmanager
def _place(database: str) -> Generator[tuple[Path, str | None]]:
    with tempfile.TemporaryDirectory() as folder, conversing.database(database, folder) as url:
        yield Path(folder), url


@asynccontextmanager
async def _serving(
    folder: Path, url: str | None, *, workers: int = 1
) -> AsyncGenerator[tuple[Process, Process]]:
    """Yield a server and the model server that it asks."""
    async with (
        model_server() as model,
        eunoe_server(model.url, data_dir=folder, database_url=url, workers=workers) as server,
    ):
        yield server, model


async def _rows(
    names: list[str],
    measures: Mapping[str, Measure],
    server: Process,
    model: Process,
    *,
    n: int,
    title: str,
) -> list[Row]:
    found: list[Row] = []
    client = Connection(server.url)
    for name in names:
        found += await measures[name](Bench(server, model, client, n))
        print(f"{title}: {name} done", flush=True)
    await client.close()
    return found


def table(found: list[Row]) -> str:
    lines = ["| Work | Measured | Must | Aim |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.work} | {r.measured:.3g} {r.unit} | {r.must} | {r.aim} |" for r in found]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure this server; writes docs/benchmarks.md.")
    parser.add_argument(
        "--only",
        default="",
        help="rows to measure, separated by commas; `tools` for those of tools",
    )
    parser.add_argument("--database", default="sqlite,postgresql", help="engines to measure")
    parser.add_argument("-n", type=int, default=200, help="requests a row")
    parser.add_argument("--soak", type=float, help="minutes of mixed requests, instead of rows")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    chosen = parser.parse_args()
    # The MCP server of the rows of tools tells of every request.
    logging.disable(logging.INFO)
    if chosen.soak:
        sections = {
            f"Soak of {chosen.soak:g} minutes": asyncio.run(soak.soaked(minutes=chosen.soak))
        }
    else:
        sections = _tables(_names(chosen.only), chosen.database.split(","), n=chosen.n)
    print("\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items()))
    if chosen.write:
        PAGE.write_text(_page(sections))


def _tables(names: list[str], databases: list[str], *, n: int) -> dict[str, str]:
    """Return the tables of these rows by their titles."""
    sections: dict[str, str] = {}
    for database in databases:
        if hot := [name for name in names if name in MEASURES]:
            found = asyncio.run(measured(hot, database=database, n=n))
            found += footprint.installed() if database == "sqlite" else []
            sections[database] = table(found)
        if database != "sqlite" and (several := [name for name in names if name in TWO]):
            found = asyncio.run(measured_two(several, database=database, n=n))
            sections[f"{database}, two processes"] = table(found)
        if of_tools := [name for name in names if name in TOOLS]:
            found = asyncio.run(measured_tools(of_tools, database=database, n=n))
            sections[f"Tools, {database}"] = table(found)
    return sections


def _names(only: str) -> list[str]:
    """Return the rows that are asked for: those of tools only where they are named."""
    asked = only.split(",") if only else list(MEASURES)
    return [one for name in asked for one in (TOOLS if name == "tools" else (name,))]


def _page(sections: Mapping[str, str]) -> str:
    """Return the page with these sections, and the others as they were measured before."""
    note = PAGE.with_name("benchmarks-notes.md")
    about = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `make bench`, on {os.cpu_count()} cores "
        f"({platform.machine()}, Linux, Python {platform.python_version()}), with the scripted "
        "model server of `eunoe.testing`, which answers at once. Machines differ: compare rows, "
        "not single milliseconds.\n"
    )
    limits = note.read_text() if note.exists() else ""
    before = (one.partition("\n") for one in PAGE.read_text().split("\n## ")[1:])
    kept = {title: text.strip() for title, _, text in before if f"## {title}\n" not in limits}
    now = kept | dict(sections)
    order = sorted(now, key=lambda title: title.startswith(("Tools", "Soak")))
    shown = [f"## {title}\n\n{now[title]}\n" for title in order]
    return "\n".join(["# Benchmarks", "", about, *shown, limits]).rstrip() + "\n"


if __name__ == "__main__":
    main()
