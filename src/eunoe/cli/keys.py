"""`eunoe keys`: made, listed and revoked on the database itself, so that no key is needed first."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import typer

from eunoe import settings
from eunoe.cli.memory import print_rows
from eunoe.domain.keys import Key, Scope
from eunoe.service import keys
from eunoe.settings import Settings
from eunoe.store import database
from eunoe.store import keys as stored
from eunoe.store.db import Actor, Database
from eunoe.store.paging import Page

T = TypeVar("T")


def create(
    *,
    name: str,
    scope: Scope,
    agents: list[str],
    organization: str | None,
    user: str | None,
    days: float | None,
) -> int:
    """Print a new key, which is shown this once."""
    configured = settings.load()
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    text, made = _with(
        configured,
        lambda db: keys.create(
            db,
            name=name,
            scope=scope,
            agent_ids=agents,
            organization_id=organization,
            user_id=user,
            expires_at=expires_at,
        ),
    )
    typer.echo(text)
    typer.echo(f"{made.id} acts as {made.user_id}; it is not shown again", err=True)
    if not (configured.require_key or configured.password):
        typer.echo(
            "Requests without a key are still answered; EUNOE_REQUIRE_KEY=true ends that.", err=True
        )
    return 0


def show() -> int:
    """List the keys, without what opens."""

    async def listed(db: Database) -> list[Key]:
        async with db.read(Actor()) as tx:
            return await stored.list_keys(tx, Page(limit=1000))

    rows = [
        (one.id, one.name, one.scope, ", ".join(one.agent_ids) or "all", one.user_id, *days)
        for one in _with(settings.load(), listed)
        for days in [(_day(one.last_used_at), _day(one.expires_at))]
    ]
    print_rows(("Id", "Name", "Scope", "Agents", "User", "Last used", "Expires"), rows)
    return 0


def revoke(*, key: str) -> int:
    """Revoke a key by its id."""
    _with(settings.load(), lambda db: keys.revoke(db, key))
    typer.echo(f"{key}: revoked")
    return 0


def _with(configured: Settings, deed: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        async with database.opened(configured.database_url) as db:
            return await deed(db)

    return asyncio.run(run())


def _day(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}"
