"""Work for later: messages that are sent at a time, and whom to tell of an end."""

from typing import Final

from alembic import op

revision: Final = "0011"
down_revision: Final = "0005"

_STATEMENTS: Final = (
    """
    CREATE TABLE schedules (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, user_id TEXT NOT NULL, agent_id TEXT
        NOT NULL, once_at BIGINT, cron TEXT, timezone TEXT, ask_json TEXT NOT NULL, next_at
        BIGINT, last_at BIGINT, last_run_id TEXT, created_at BIGINT NOT NULL,
        CONSTRAINT pk_schedules PRIMARY KEY (id),
        CONSTRAINT fk_schedules_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_schedules_agent_id_created_at_id ON schedules (agent_id, created_at, id)",
    "CREATE INDEX ix_schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL",
    """
    CREATE TABLE callbacks (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, url TEXT NOT NULL, attempts BIGINT NOT
        NULL, next_at BIGINT NOT NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_callbacks PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_callbacks_next_at ON callbacks (next_at)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
