"""Passages that no embedder has seen are found without a look at the others."""

from typing import Final

from alembic import op

revision: Final = "0020"
down_revision: Final = "0019"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_passages_pending ON passages (archive_id, seq) WHERE embedder IS NULL"
    )
