"""Which revision a database holds."""

from typing import assert_never

from eunoe.store.db import Tx
from eunoe.store.migrations import REVISIONS, jobs_stamp


async def stored_revision(tx: Tx) -> str | None:
    """Return the revision noted in the database, null for an empty one."""
    match tx.dialect:
        case "sqlite":
            there = "SELECT name FROM sqlite_master WHERE name = $1"
        case "postgresql":
            there = "SELECT to_regclass($1)::text"
        case _:
            assert_never(tx.dialect)
    if await tx.fetch_value(there, "alembic_version") is None:
        return None
    revision: str | None = await tx.fetch_value("SELECT version_num FROM alembic_version")
    return revision


async def is_only_wider(tx: Tx, revision: str) -> bool:
    """Whether this code works on a database that a newer Eunoe brought to `revision`.

    PostgreSQL's says so (`width_stamp`). SQLite's does not: no older process goes on beside
    the newer one.
    """
    if tx.dialect == "sqlite":
        return False
    said: str | None = await tx.fetch_value(
        "SELECT obj_description(to_regclass($1), 'pg_class')", "alembic_version"
    )
    stamped, _, since = (said or "").partition(" works since ")
    return stamped == revision and since in REVISIONS


async def jobs_are_current(tx: Tx) -> bool:
    """Whether the job engine's tables were made by the version that is installed.

    They are PostgreSQL's alone. A stamp is read, because reading the catalog at each start
    would cost more than everything else in it.
    """
    if tx.dialect == "sqlite":
        return True
    stamp: str | None = await tx.fetch_value(
        "SELECT obj_description(to_regclass($1), 'pg_class')", "pgqueuer"
    )
    return stamp == jobs_stamp()
