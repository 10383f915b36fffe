"""Keys to the server, of which a digest is kept."""

from typing import Final

from alembic import op

revision: Final = "0014"
down_revision: Final = "0013"

_STATEMENTS: Final = (
    """
    CREATE TABLE api_keys (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, user_id TEXT NOT NULL, digest TEXT NOT
        NULL, name TEXT NOT NULL, scope TEXT NOT NULL, agent_ids_json TEXT NOT NULL, expires_at
        BIGINT, last_used_at BIGINT, created_at BIGINT NOT NULL,
        CONSTRAINT pk_api_keys PRIMARY KEY (id),
        CONSTRAINT uq_api_keys_digest UNIQUE (digest)
    )
    """,
    "CREATE INDEX ix_api_keys_created_at_id ON api_keys (created_at, id)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
