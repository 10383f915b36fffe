"""Opening, upgrading, checking and copying a database."""

import asyncio
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Dialect as SqlDialect
from sqlalchemy.dialects import postgresql as postgresql_words
from sqlalchemy.dialects import sqlite as sqlite_words
from sqlalchemy.schema import CreateIndex, CreateTable

from eunoe.errors import BackupExists, DatabaseNewer, DatabaseUnreachable, DatabaseUrlInvalid
from eunoe.store.database import check, open_database, opened, upgrade, version
from eunoe.store.db import Actor, Database
from eunoe.store.migrations import EXPANSIONS, HEAD, REVISIONS, width_stamp
from eunoe.store.migrations.render import configuration, script
from eunoe.store.postgresql import PostgresqlDatabase
from eunoe.store.restore import backup
from eunoe.store.sqlite import SqliteDatabase
from eunoe.store.sqlite_connection import connect
from eunoe.store.tables import metadata
from tests.store.schema import described

pytestmark = pytest.mark.anyio

ACTOR = Actor()


async def test_a_fresh_database_has_the_default_organization(database: Database) -> None:
    async with database.read(ACTOR) as tx:
        assert await tx.fetch_value("SELECT COUNT(*) FROM organizations") == 1
        assert await tx.fetch_value("SELECT organization_id FROM users") == ACTOR.organization_id


async def test_the_schema_is_what_the_tables_say(
    database: Database, empty_database_url: str
) -> None:
    """The revisions, which are frozen, and `tables.metadata`, which is alive, make the same."""
    words: SqlDialect = (
        sqlite_words.dialect() if database.dialect == "sqlite" else postgresql_words.dialect()
    )
    made = await open_database(empty_database_url)
    async with made.write(ACTOR) as tx:
        for table in metadata.sorted_tables:
            await tx.execute(str(CreateTable(table).compile(dialect=words)))
            for index in table.indexes:
                await tx.execute(str(CreateIndex(index).compile(dialect=words)))
    tables = set(metadata.tables)
    async with made.read(ACTOR) as tx:
        said = await described(tx, tables)
    await made.close()
    async with database.read(ACTOR) as tx:
        migrated = await described(tx, tables)
    assert migrated == said
    assert len(said) > 200


def test_the_revisions_are_those_that_alembic_finds() -> None:
    scripts = ScriptDirectory.from_config(configuration("sqlite", into=StringIO()))
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS
    assert scripts.get_heads() == [HEAD]


async def test_upgrading_twice_is_upgrading_once(empty_database_url: str) -> None:
    db = await open_database(empty_database_url)
    assert await version(db) is None
    await upgrade(db)
    assert await version(db) == HEAD
    await upgrade(db)
    async with db.read(ACTOR) as tx:
        assert await tx.fetch_value("SELECT COUNT(*) FROM organizations") == 1
    assert await check(db) == []
    await db.close()


async def test_servers_that_start_at_once_upgrade_once(empty_database_url: str) -> None:
    async def start() -> None:
        async with opened(empty_database_url) as db, db.read(ACTOR) as tx:
            assert await tx.fetch_value("SELECT COUNT(*) FROM users") == 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(start() for _ in range(4)))


async def test_an_upgrade_that_fails_leaves_nothing(empty_database_url: str) -> None:
    db = await open_database(empty_database_url)
    async with db.write(ACTOR) as tx:
        await tx.execute("CREATE TABLE users (unlike TEXT)")
    with pytest.raises(Exception, match="users"):
        await upgrade(db)
    assert await version(db) is None
    async with db.write(ACTOR) as tx:
        await tx.execute("DROP TABLE users")
    await upgrade(db)
    assert await check(db) == []
    await db.close()


async def test_a_database_from_a_newer_version_is_refused(database_url: str) -> None:
    db = await open_database(database_url)
    async with db.write(ACTOR) as tx:
        await tx.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseNewer):
        await upgrade(db)
    assert [finding.code for finding in await check(db)] == ["database_newer"]
    await db.close()


@pytest.mark.parametrize(
    ("comment", "taken"),
    [
        (f"9999 works since {HEAD}", True),
        (f"9998 works since {HEAD}", False),
        ("9999 works since 9998", False),
        ("", False),
    ],
)
async def test_a_newer_database_is_taken_where_it_says_that_it_is_only_wider(
    database_url: str, comment: str, taken: bool
) -> None:
    db = await open_database(database_url)
    async with db.write(ACTOR) as tx:
        await tx.execute("UPDATE alembic_version SET version_num = '9999'")
        if tx.dialect == "postgresql":
            await tx.execute(f"COMMENT ON TABLE alembic_version IS '{comment}'")
    if taken and db.dialect == "postgresql":
        await upgrade(db)
        assert await check(db) == []
        assert await version(db) == "9999"
    else:
        with pytest.raises(DatabaseNewer):
            await upgrade(db)
        assert [finding.code for finding in await check(db)] == ["database_newer"]
    await db.close()


async def test_an_upgrade_says_whose_code_still_works(empty_database_url: str) -> None:
    async with opened(empty_database_url) as db, db.read(ACTOR) as tx:
        if tx.dialect == "postgresql":
            said = "SELECT obj_description('alembic_version'::regclass, 'pg_class')"
            assert await tx.fetch_value(said) == width_stamp()


@pytest.mark.parametrize(
    ("expansions", "since"), [("", "c"), ("c", "b"), ("bc", "a"), ("b", "c"), ("abc", "a")]
)
def test_code_works_on_until_what_it_knows_is_taken_away(expansions: str, since: str) -> None:
    assert width_stamp("abc", expansions) == f"c works since {since}"


def test_what_is_called_an_expansion_only_adds() -> None:
    whole = script("postgresql", since=None)
    parts = re.split(r"^-- Running upgrade \S* -> (\S+)$", whole, flags=re.MULTILINE)
    sql = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert sql.keys() >= EXPANSIONS
    for revision in EXPANSIONS:
        statements = [one.strip() for one in sql[revision].split(";") if one.strip()]
        narrowing = [
            one
            for one in statements
            if not re.match(
                r"(CREATE|DROP) INDEX|CREATE TABLE|UPDATE alembic_version|INSERT INTO", one
            )
            and not (re.match(r"ALTER TABLE \S+ ADD COLUMN", one) and "NOT NULL" not in one)
            and not _fills_what_is_new(one, statements)
        ]
        assert narrowing == [], "code that does not know this revision would fail after it"


def _fills_what_is_new(statement: str, statements: list[str]) -> bool:
    filled = re.match(r"UPDATE (\S+)\s+SET (\S+) =", statement)
    added = filled and f"ALTER TABLE {filled[1]} ADD COLUMN {filled[2]} "
    return added is not None and any(one.startswith(added) for one in statements)


async def test_a_start_on_a_current_database_is_quick_and_imports_no_migrations(
    database_url: str,
) -> None:
    code = (
        "import asyncio, sys, time\n"
        "from eunoe.store import postgresql\n"
        "from eunoe.store.database import opened\n"
        "async def main():\n"
        "    began = time.perf_counter()\n"
        "    async with opened(sys.argv[1]):\n"
        "        print(time.perf_counter() - began)\n"
        "asyncio.run(main())\n"
        "print([name for name in ('alembic', 'sqlalchemy', 'pgqueuer') if name in sys.modules])\n"
    )
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, database_url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    took, imported = ran.stdout.splitlines()
    assert imported == "[]"
    assert float(took) < 0.5


async def test_a_lost_message_is_found(database: Database) -> None:
    """A window's entry whose message is gone, as an edit by hand might leave it."""
    unchecked = (
        "PRAGMA foreign_keys = OFF"
        if database.dialect == "sqlite"
        else "ALTER TABLE list_entries DROP CONSTRAINT fk_list_entries_message_seq"
    )
    lost = "INSERT INTO list_entries (list_id, message_seq, position) VALUES ('agent-1', 77, 1)"
    if isinstance(database, SqliteDatabase):
        hand = connect(database.path)
        hand.execute(unchecked)
        hand.execute(lost)
        hand.close()
    else:
        async with database.write(ACTOR) as tx:
            await tx.execute(unchecked)
            await tx.execute(lost)
    assert "message_lost" in [finding.code for finding in await check(database)]


async def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "eunoe.db"
    async with opened(f"sqlite:///{path}") as db, db.read(ACTOR) as tx:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'list_entries'"
        page = await tx.fetch_value(query)
    overwrite(path, page=page)
    db = await open_database(f"sqlite:///{path}")
    assert {finding.code for finding in await check(db)} == {"file_damaged"}
    await db.close()


def overwrite(path: Path, *, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\x5a" * 4096)


async def test_tables_of_an_older_job_engine_are_found_and_upgraded(database: Database) -> None:
    if database.dialect == "sqlite":
        assert await check(database) == []
        return
    assert isinstance(database, PostgresqlDatabase)
    async with database.write(ACTOR) as tx:
        await tx.execute("COMMENT ON TABLE pgqueuer IS 'pgqueuer 0.1'")
    assert [finding.code for finding in await check(database)] == ["jobs_old"]
    await upgrade(database)
    assert await check(database) == []


async def test_an_empty_database_is_told_to_be_upgraded(empty_database_url: str) -> None:
    db = await open_database(empty_database_url)
    assert [finding.code for finding in await check(db)] == ["schema_missing"]
    await db.close()


def names_in(folder: Path, start: str) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(start)]


async def test_a_backup_is_a_database(database: Database, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    if not isinstance(database, SqliteDatabase):
        return
    async with database.write(ACTOR) as tx:
        await tx.execute("UPDATE organizations SET name = 'copied'")
    await backup(database, target)
    with pytest.raises(BackupExists):
        await backup(database, target)
    assert names_in(tmp_path, "backup.db") == ["backup.db"]
    async with database.write(ACTOR) as tx:
        await tx.execute("UPDATE organizations SET name = 'later'")
    async with opened(f"sqlite:///{target}") as copied:
        assert await check(copied) == []
        async with copied.read(ACTOR) as tx:
            assert await tx.fetch_value("SELECT name FROM organizations") == "copied"


@pytest.mark.parametrize(
    "url", ["", "eunoe.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://u:secret@h/d"]
)
async def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlInvalid) as refused:
        await open_database(url)
    assert "secret" not in str(refused.value)


async def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/new/folder/eunoe.db") as db:
        assert await version(db) == HEAD


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnreachable, match="folder"):
        await open_database(f"sqlite:///{tmp_path}/file/eunoe.db")
