"""Who has an SQLite file open: many at once, of them one server, or one alone who replaces it."""

import fcntl
import os
from pathlib import Path

from eunoe.errors import DatabaseInUse


def hold(database: Path, *, alone: bool, suffix: str = "lock") -> int:
    """Return a handle that is closed to let go; raise `DatabaseInUse` where others are in the way.

    The lock is on a file of its own: closing a handle of the database's drops SQLite's locks.
    """
    lock = os.open(database.with_name(f"{database.name}.{suffix}"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise DatabaseInUse from error
    return lock
