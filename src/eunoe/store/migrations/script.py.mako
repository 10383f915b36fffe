"""${message}."""

from typing import Final

from alembic import op

revision: Final = ${repr(up_revision)}
down_revision: Final = ${repr(down_revision)}


def upgrade() -> None:
    """Say it in SQL, for both engines; add the revision to `migrations.REVISIONS`."""
    ${upgrades if upgrades else 'op.execute("")'}
