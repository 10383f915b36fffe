"""What only the embedded driver has to deal with: its one writer, its file, its disk."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import apsw
import pytest

from eunoe.errors import DatabaseUnreachable, DiskFull
from eunoe.store.database import open_database
from eunoe.store.db import Actor
from eunoe.store.sqlite import SqliteDatabase

pytestmark = pytest.mark.anyio

ACTOR = Actor()
WRITER = """
import asyncio, sys
from pathlib import Path
from eunoe.store.db import Actor
from eunoe.store.sqlite import SqliteDatabase

async def write(db, number):
    async with db.write(Actor()) as tx:
        await tx.execute("INSERT INTO notes (id) VALUES ($1)", f"{number}/a")
        await asyncio.sleep(0)
        await tx.execute("INSERT INTO notes (id) VALUES ($1)", f"{number}/b")
    print(number, flush=True)

async def main():
    db = SqliteDatabase(Path(sys.argv[1]))
    for base in range(0, 1_000_000, 8):
        await asyncio.gather(*(write(db, base + number) for number in range(8)))

asyncio.run(main())
"""


class FailingDisk(apsw.VFS):
    """A file system on which writing fails as told, SQLite's default while it is registered."""

    db: SqliteDatabase

    def __init__(self) -> None:
        super().__init__("failing", "unix", makedefault=True)
        self.failure: type[apsw.Error] | None = None

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 -- a name of SQLite's own
        return FailingFile(self, name, flags)


class FailingFile(apsw.VFSFile):
    def __init__(
        self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("unix", name, flags)
        self.disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 -- a name of SQLite's own
        if self.disk.failure is not None:
            raise self.disk.failure
        super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType] -- its stub names a newer `Buffer`


@pytest.fixture
async def db(tmp_path: Path) -> AsyncGenerator[SqliteDatabase]:
    """A file with a table `notes (id, body)`."""
    opened = SqliteDatabase(tmp_path / "notes.db")
    async with opened.write(ACTOR) as tx:
        await tx.execute("CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)")
    yield opened
    await opened.close()


async def write(db: SqliteDatabase, name: str, *, size: int = 10) -> None:
    async with db.write(ACTOR) as tx:
        await tx.execute("INSERT INTO notes (id, body) VALUES ($1, $2)", name, "x" * size)
        await asyncio.sleep(0)


async def ids(db: SqliteDatabase) -> set[str]:
    async with db.read(ACTOR) as tx:
        return {row[0] for row in await tx.fetch("SELECT id FROM notes")}


async def limit_pages(db: SqliteDatabase, more: int) -> None:
    """Let the file grow by `more` pages and no further, as on a full disk."""
    async with db.write(ACTOR) as tx:
        used = await tx.fetch_value("PRAGMA page_count")
        await tx.fetch_value(f"PRAGMA max_page_count = {used + more}")


async def test_a_full_disk_loses_nothing_that_was_committed(db: SqliteDatabase) -> None:
    await write(db, "before")
    await limit_pages(db, 4)
    with pytest.raises(DiskFull):
        await write(db, "large", size=200_000)
    await write(db, "small")
    assert await ids(db) == {"before", "small"}


async def test_on_a_full_disk_each_of_a_group_is_stored_or_told(db: SqliteDatabase) -> None:
    await limit_pages(db, 30)
    names = [f"w{number}" for number in range(24)]
    outcomes = await asyncio.gather(
        *(write(db, name, size=9_000) for name in names), return_exceptions=True
    )
    stored = {name for name, outcome in zip(names, outcomes, strict=True) if outcome is None}
    assert stored == await ids(db)
    assert {type(outcome) for outcome in outcomes} == {type(None), DiskFull}
    await limit_pages(db, 1_000)
    await write(db, "after", size=9_000)
    assert await ids(db) == stored | {"after"}


@pytest.fixture
async def failing(tmp_path: Path) -> AsyncGenerator[FailingDisk]:
    """A disk with a database `db` on it, whose writes fail once `failure` is set."""
    disk = FailingDisk()
    disk.db = SqliteDatabase(tmp_path / "notes.db")
    async with disk.db.write(ACTOR) as tx:
        await tx.execute("CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)")
    yield disk
    disk.failure = None
    await disk.db.close()
    disk.unregister()


@pytest.mark.parametrize(
    ("failure", "told"), [(apsw.FullError, DiskFull), (apsw.IOError, DatabaseUnreachable)]
)
@pytest.mark.parametrize("size", [10, 40_000_000], ids=["at the commit", "before it"])
async def test_a_disk_that_fails_is_told_to_each_of_the_group(
    failing: FailingDisk, failure: type[apsw.Error], told: type[Exception], size: int
) -> None:
    """A commit that fails, and a block too large to be kept in memory until the commit."""
    await write(failing.db, "before")
    failing.failure = failure
    outcomes = await asyncio.gather(
        write(failing.db, "elder"),
        write(failing.db, "large", size=size),
        write(failing.db, "younger"),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [told] * 3
    failing.failure = None
    await write(failing.db, "after")
    assert await ids(failing.db) == {"before", "after"}


async def test_a_file_that_stays_held_is_told(
    db: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eunoe.store.sqlite_connection.BUSY_TIMEOUT_MS", 50)
    other = SqliteDatabase(db.path)
    async with other.write(ACTOR) as tx:
        await tx.execute("INSERT INTO notes (id) VALUES ('other')")
        with pytest.raises(DatabaseUnreachable, match="Another process"):
            await write(db, "mine")
    await write(db, "mine")
    assert await ids(db) == {"other", "mine"}
    await other.close()


async def test_readers_beyond_the_kept_ones_are_closed_again(db: SqliteDatabase) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(9):
            tx = await stack.enter_async_context(db.read(ACTOR))
            assert await tx.fetch("SELECT id FROM notes") == []
    await write(db, "one")
    assert await ids(db) == {"one"}


async def test_a_block_inside_a_block_is_refused(db: SqliteDatabase) -> None:
    """It would wait for itself."""
    async with db.write(ACTOR) as tx:
        with pytest.raises(RuntimeError, match="open in this task already"):
            await write(db, "inner")
        await tx.execute("INSERT INTO notes (id) VALUES ('outer')")
    assert await ids(db) == {"outer"}


async def test_writers_take_turns_in_the_order_they_came(db: SqliteDatabase) -> None:
    order: list[int] = []

    async def take(number: int) -> None:
        async with db.write(ACTOR) as tx:
            order.append(number)
            await tx.execute("INSERT INTO notes (id) VALUES ($1)", f"w{number}")
            await asyncio.sleep(0)

    await asyncio.gather(*(take(number) for number in range(40)))
    assert order == list(range(40))


async def test_the_loop_runs_on_while_another_holds_the_file(db: SqliteDatabase) -> None:
    other = SqliteDatabase(db.path)
    waiting = None
    async with other.write(ACTOR) as tx:
        await tx.execute("INSERT INTO notes (id) VALUES ('other')")
        waiting = asyncio.ensure_future(write(db, "waiting"))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
    assert await ids(db) == {"other", "waiting"}
    await other.close()


async def test_who_gives_up_waiting_for_the_file_holds_nothing(db: SqliteDatabase) -> None:
    other = SqliteDatabase(db.path)
    async with other.write(ACTOR) as tx:
        await tx.execute("INSERT INTO notes (id) VALUES ('other')")
        waiting = asyncio.ensure_future(write(db, "waiting"))
        for _ in range(10):
            await asyncio.sleep(0)
        waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await write(other, "other again")
    await write(db, "mine")
    assert await ids(db) == {"other", "other again", "mine"}
    await other.close()


async def test_closing_commits_what_waits_for_it(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "notes.db")
    async with db.write(ACTOR) as tx:
        await tx.execute("CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)")
    writing = [asyncio.ensure_future(write(db, f"w{number}")) for number in range(5)]
    await asyncio.sleep(0)
    await db.close()
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    again = SqliteDatabase(db.path)
    stored = {f"w{n}" for n, outcome in enumerate(outcomes) if outcome is None}
    assert stored == await ids(again)
    assert {type(o) for o in outcomes} <= {type(None), DatabaseUnreachable}
    await again.close()


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 200)
    with pytest.raises(DatabaseUnreachable, match="cannot open"):
        await open_database(f"sqlite:///{path}")
    assert path.read_text().startswith("Dear reader")


async def test_only_the_user_can_read_the_file(db: SqliteDatabase) -> None:
    for suffix in ("", "-wal", "-shm"):
        mode = Path(f"{db.path}{suffix}").stat().st_mode  # noqa: ASYNC240 -- a stat, in a test
        assert mode & 0o077 == 0


async def test_what_was_told_durable_survives_a_kill(db: SqliteDatabase) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(db.path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    told = [int(await process.stdout.readline()) for _ in range(100)]
    os.kill(process.pid, signal.SIGKILL)
    told += [
        int(line)
        for line in (await process.stdout.read()).splitlines(keepends=True)
        if line.endswith(b"\n")
    ]
    await process.wait()
    found = await ids(db)
    assert {f"{number}/{part}" for number in told for part in "ab"} <= found
    assert {name[:-2] + "/a" for name in found} == {name for name in found if name.endswith("/a")}
