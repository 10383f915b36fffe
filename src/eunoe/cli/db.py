"""`eunoe db`: bring the database up to date, look for damage, copy it and put a copy back."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import typer

from eunoe import settings
from eunoe.cli.failure import FAILED, CommandFailed
from eunoe.store import database
from eunoe.store import restore as copies
from eunoe.store import verify as verification
from eunoe.store.postgresql import PostgresqlDatabase
from eunoe.store.sqlite import SqliteDatabase

T = TypeVar("T")
_Opened: TypeAlias = SqliteDatabase | PostgresqlDatabase


def with_database(work: Callable[[_Opened], Awaitable[T]], *, makes: bool = False) -> tuple[str, T]:
    """Do something with the configured database; return what it is called, and what came of it."""
    configured = settings.load()
    label = configured.database_label
    if configured.is_sqlite and not makes and not Path(label).exists():
        sentence = f"There is no database {label}; check EUNOE_DATA_DIR and EUNOE_DATABASE_URL."
        raise CommandFailed(sentence)

    async def run() -> T:
        db = await database.open_database(configured.database_url)
        try:
            return await work(db)
        finally:
            await db.close()

    return label, asyncio.run(run())


def upgrade() -> int:
    """Bring the schema up to this version."""

    async def work(db: _Opened) -> tuple[str | None, str | None]:
        before = await database.version(db)
        await database.upgrade(db)
        return before, await database.version(db)

    label, (before, after) = with_database(work, makes=True)
    done = "was up to date" if before == after else f"upgraded from {before or 'nothing'}"
    typer.echo(f"{label}: {done}, now at {after}")
    return 0


def verify(*, repair: bool = False) -> int:
    """Print what is wrong with the database, and what was done about it; 1 when any is left."""
    label, findings = with_database(lambda db: verification.verify(db, repair=repair))
    for finding in findings:
        mended = f" {finding.mended}" if finding.mended else ""
        typer.echo(f"{finding.code}: {finding.message}{mended}")
    if not findings:
        typer.echo(f"{label}: nothing is wrong")
    return FAILED if any(finding.mended is None for finding in findings) else 0


def backup(*, path: Path) -> int:
    """Copy the database to `path`, in use or not."""
    with_database(lambda db: copies.backup(db, path))
    typer.echo(f"{path}: {path.stat().st_size:,} bytes")
    return 0


def restore(*, path: Path, force: bool) -> int:
    """Put the backup at `path` in the place of the database."""
    configured = settings.load()
    asyncio.run(copies.restore(configured.database_url, path, force=force))
    typer.echo(f"{configured.database_label}: is what {path} holds")
    return 0
