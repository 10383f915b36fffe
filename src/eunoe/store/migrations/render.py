"""Revisions as a script of SQL, made by Alembic without a connection."""

from functools import cache
from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config

from eunoe.store.db import Dialect
from eunoe.store.migrations import HEAD


def configuration(dialect: Dialect, *, into: StringIO) -> Config:
    """Return what Alembic needs to know to work on our revisions; the SQL goes `into` there."""
    config = Config(output_buffer=into, attributes={"dialect": dialect})
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


@cache
def script(dialect: Dialect, *, since: str | None) -> str:
    """Return the SQL from revision `since` (null for an empty database) to the newest.

    It notes the revision reached in `alembic_version`, and neither begins nor commits.
    """
    written = StringIO()
    command.upgrade(configuration(dialect, into=written), f"{since or 'base'}:{HEAD}", sql=True)
    return written.getvalue()
