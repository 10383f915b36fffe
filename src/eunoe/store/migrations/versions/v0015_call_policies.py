"""What an agent may do with its tools unasked, and when a request is decided by itself."""

from typing import Final

from alembic import op

revision: Final = "0015"
down_revision: Final = "0014"

_STATEMENTS: Final = (
    "ALTER TABLE agents ADD COLUMN call_policies_json TEXT",
    """
    CREATE TABLE deadlines (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, agent_id TEXT NOT NULL, answers_json
        TEXT NOT NULL, due_at BIGINT NOT NULL,
        CONSTRAINT pk_deadlines PRIMARY KEY (id),
        CONSTRAINT fk_deadlines_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_deadlines_due_at ON deadlines (due_at)",
    "CREATE INDEX ix_deadlines_agent_id ON deadlines (agent_id)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
