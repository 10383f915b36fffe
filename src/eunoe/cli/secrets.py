"""`eunoe secrets`: keys, and sealing everything stored with the newest of them."""

import asyncio

import typer

from eunoe import settings
from eunoe.app import sealing
from eunoe.cli.failure import FAILED
from eunoe.store import database
from eunoe.store.rotation import Rotation
from eunoe.store.rotation import rotate as sealed_anew
from eunoe.store.sealing import new_key


def key() -> int:
    """Print a fresh key."""
    typer.echo(new_key())
    return 0


def rotate() -> int:
    """Seal everything with the newest key; 1 when something cannot be read."""
    configured = settings.load()

    async def run() -> Rotation:
        async with database.opened(configured.database_url, sealer=sealing(configured)) as db:
            return await sealed_anew(db)

    done = asyncio.run(run())
    typer.echo(f"{configured.database_label}: {done.renewed} secrets sealed with the newest key")
    if not done.unreadable:
        return 0
    typer.echo(
        f"{done.unreadable} secrets were sealed with a key that is not here: add it to "
        "EUNOE_ENCRYPTION_KEY and run this again, or store them anew",
        err=True,
    )
    return FAILED
