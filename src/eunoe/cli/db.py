"""`eunoe db`: bring the database up to date, look for damage, copy it."""

import asyncio
from pathlib import Path

import typer

from eunoe import settings
from eunoe.cli.failure import FAILED
from eunoe.store import database


def upgrade() -> int:
    """Bring the schema up to this version."""
    configured = settings.load()

    async def run() -> tuple[str | None, str | None]:
        db = await database.open_database(configured.database_url)
        try:
            before = await database.version(db)
            await database.upgrade(db)
            return before, await database.version(db)
        finally:
            await db.close()

    before, after = asyncio.run(run())
    done = "was up to date" if before == after else f"upgraded from {before or 'nothing'}"
    typer.echo(f"{configured.database_label}: {done}, now at {after}")
    return 0


def check() -> int:
    """Print what is wrong with the database; 1 when something is."""
    configured = settings.load()

    async def run() -> list[database.Finding]:
        db = await database.open_database(configured.database_url)
        try:
            return await database.check(db)
        finally:
            await db.close()

    findings = asyncio.run(run())
    for finding in findings:
        typer.echo(f"{finding.code}: {finding.message}")
    if not findings:
        typer.echo(f"{configured.database_label}: nothing is wrong")
    return FAILED if findings else 0


def backup(*, path: Path) -> int:
    """Copy the database to `path`, in use or not."""
    configured = settings.load()

    async def run() -> None:
        db = await database.open_database(configured.database_url)
        try:
            await database.backup(db, path)
        finally:
            await db.close()

    asyncio.run(run())
    typer.echo(f"{path}: {path.stat().st_size:,} bytes")
    return 0
