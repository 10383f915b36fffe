"""Passages of long vectors are scanned by the signs of their dimensions, not by a byte of each."""

from typing import Final

from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    """Make the codes anew where vectors are longer than 512; only SQLite has codes."""
    if op.get_context().dialect.name != "sqlite":
        return
    op.execute(
        """
        UPDATE passage_codes SET code = (
            SELECT vec_quantize_binary(vector) FROM passage_vectors
            WHERE passage_vectors.seq = passage_codes.seq
        ) WHERE length(code) > 512 AND length(code) % 8 = 0
        """
    )
