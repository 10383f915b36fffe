"""The otids that clients chose: one is used by one run of a list."""

from typing import Final

from alembic import op

revision: Final = "0008"
down_revision: Final = "0007"

_TABLE: Final = """
    CREATE TABLE run_otids (
        list_id TEXT NOT NULL, otid TEXT NOT NULL, run_id TEXT NOT NULL,
        CONSTRAINT pk_run_otids PRIMARY KEY (list_id, otid),
        CONSTRAINT fk_run_otids_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
    )
"""


def upgrade() -> None:
    """Make the table; what was sent before is known by whole requests alone."""
    sqlite = op.get_context().dialect.name == "sqlite"
    op.execute(f"{_TABLE} WITHOUT ROWID" if sqlite else _TABLE)
    op.execute("CREATE INDEX ix_run_otids_run_id ON run_otids (run_id)")
