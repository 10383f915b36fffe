"""PostgreSQL too scans passages of long vectors by the signs of their dimensions first."""

from typing import Final

from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"

_STATEMENTS: Final = (
    """
    CREATE TABLE passage_codes (
        seq BIGINT PRIMARY KEY REFERENCES passage_vectors (seq) ON DELETE CASCADE,
        archive_id TEXT NOT NULL,
        embedder TEXT NOT NULL,
        code BIT VARYING NOT NULL
    )
    """,
    """
    INSERT INTO passage_codes (seq, archive_id, embedder, code)
    SELECT seq, archive_id, embedder, binary_quantize(vector) FROM passage_vectors
    WHERE vector_dims(vector) > 512 AND mod(vector_dims(vector), 8) = 0
    """,
    "CREATE INDEX ix_passage_codes_archive_id ON passage_codes (archive_id, embedder)",
)


def upgrade() -> None:
    """Make the codes of what is stored; SQLite has them."""
    if op.get_context().dialect.name == "postgresql":
        for statement in _STATEMENTS:
            op.execute(statement)
