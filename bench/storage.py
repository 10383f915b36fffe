"""`python -m bench.storage`: what a conversation takes on the disk, as a multiple of its text.

Turns of several lengths are spoken to the server's own runner and their streams swept, as they
are a day later; what the second half of them has added is told by table and by index. What is
said are the sentences of our own documentation, in any order.
"""

import argparse
import asyncio
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.conversing import conversing, say
from eunoe.runs.runner import Runner
from eunoe.store.db import Actor, Database
from eunoe.store.postgresql_connection import session

LENGTHS: Final = (500, 1_000, 1_800, 6_000)
_DOCS: Final = Path(__file__).parents[1] / "docs"
_PROSE: Final = re.compile(r"(?<=\. )[A-Z][\w ,;:'()-]{30,}\.(?=\s)")
_ROUNDS: Final = 10
_SIZES: Final = {
    "sqlite": "SELECT name, SUM(pgsize), SUM(pgsize - unused) FROM dbstat GROUP BY name",
    "postgresql": (
        "SELECT relname::text, pg_relation_size(oid) + COALESCE(pg_relation_size("
        "NULLIF(reltoastrelid, 0)), 0), 0 FROM pg_class WHERE relkind IN ('r', 'i')"
        " AND relnamespace = 'public'::regnamespace"
    ),
}


def spoken(rng: random.Random, *, characters: int) -> Iterator[str]:
    """Yield texts of so many characters, of sentences without code."""
    pages = [page.read_text("utf-8").replace("\n", " ") for page in sorted(_DOCS.rglob("*.md"))]
    sentences = [one for page in pages for one in _PROSE.findall(page)]
    while True:
        yield " ".join(rng.choices(sentences, k=characters // 30))[:characters]


async def sweep(db: Database, runner: Runner) -> None:
    """Take the streams away, and give what is dead back for reuse, as PostgreSQL does by itself."""
    async with db.write(Actor()) as tx:
        await tx.execute("UPDATE runs SET completed_at = 0 WHERE completed_at > 0")
    await runner.sweep()
    if db.dialect == "postgresql":
        async with session(db.url) as connection:
            await connection.execute("VACUUM ANALYZE")


async def sizes(db: Database) -> dict[str, int]:
    """Return the bytes of each table and index."""
    async with db.read(Actor()) as tx:
        return {row[0]: int(row[2] or row[1]) for row in await tx.fetch(_SIZES[db.dialect])}


async def measured(engine: str, *, characters: int, turns: int) -> tuple[int, dict[str, int]]:
    """Return the length of what is said in half of the turns, and what it adds to each table."""
    said = 0
    found: list[dict[str, int]] = []
    texts = spoken(random.Random(characters), characters=characters // 2)  # noqa: S311 -- no secret
    async with conversing(engine) as (db, runner, agent_id):
        for _ in range(2):
            said = 0
            for turn in range(turns // 2):
                text = next(texts)
                await say(runner, agent_id, f"SAY {text}")
                said += 2 * len(text) + 4
                if (turn + 1) % (turns // 2 // _ROUNDS) == 0:
                    await sweep(db, runner)
            found.append(await sizes(db))
    before, after = found
    return said, {name: size - before.get(name, 0) for name, size in after.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a conversation takes on the disk.")
    parser.add_argument("--database", default="sqlite,postgresql", help="engines to measure")
    parser.add_argument("--characters", type=int, nargs="*", default=LENGTHS, help="of a turn")
    parser.add_argument("-n", type=int, default=600, help="turns")
    parser.add_argument("--tables", action="store_true", help="tell tables and indexes apart")
    chosen = parser.parse_args()
    for engine in chosen.database.split(","):
        for characters in chosen.characters:
            said, added = asyncio.run(measured(engine, characters=characters, turns=chosen.n))
            ratio = sum(added.values()) / said
            print(f"{engine}, {characters} characters a turn: {ratio:.2f} times the text")
            for name, size in sorted(added.items(), key=lambda it: -it[1]) if chosen.tables else ():
                if size:
                    print(f"    {size / chosen.n * 2:8.0f} bytes a turn  {name}")


if __name__ == "__main__":
    main()
