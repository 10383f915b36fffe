"""What processes on one PostgreSQL tell each other at once: a run has said, or is to do, something.

A notice goes out with the commit that it is about, in the statement that writes it, and says
no more than a run's id: what is true stands in the rows, and a notice that gets lost is made
good by looking. SQLite has one process, which needs none.
"""

from typing import Final, Literal, TypeAlias, assert_never

from eunoe.store.db import Tx

Notice: TypeAlias = Literal["eunoe_said", "eunoe_stop"]
"""A run's log has grown; a run is to stop."""

SAID: Final[Notice] = "eunoe_said"
STOP: Final[Notice] = "eunoe_stop"


def notifying(tx: Tx, notice: Notice, placeholder: str) -> str:
    """Return SQL to stand at the end of a statement that changes rows: send their run's id.

    PostgreSQL sends what a transaction repeats but once.
    """
    match tx.dialect:
        case "sqlite":
            return ""
        case "postgresql":
            return f" RETURNING pg_notify('{notice}', {placeholder})"
        case _:
            assert_never(tx.dialect)
