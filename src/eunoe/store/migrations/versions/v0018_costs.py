"""What steps cost, by which key; and budgets."""

from typing import Final

from alembic import op

revision: Final = "0018"
down_revision: Final = "0017"

_STATEMENTS: Final = (
    "ALTER TABLE steps ADD COLUMN cost_nanos BIGINT",
    "ALTER TABLE steps ADD COLUMN key_id TEXT",
    "ALTER TABLE runs ADD COLUMN key_id TEXT",
    "ALTER TABLE batches ADD COLUMN key_id TEXT",
    "ALTER TABLE schedules ADD COLUMN key_id TEXT",
    """
    CREATE TABLE budgets (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, subject_id TEXT NOT NULL, agent_id TEXT,
        key_id TEXT, period TEXT NOT NULL, limit_nanos BIGINT NOT NULL, spent_nanos BIGINT NOT
        NULL, since BIGINT NOT NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_budgets PRIMARY KEY (id),
        CONSTRAINT uq_budgets_organization_id_subject_id_period
            UNIQUE (organization_id, subject_id, period),
        CONSTRAINT fk_budgets_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE
            CASCADE,
        CONSTRAINT fk_budgets_key_id FOREIGN KEY(key_id) REFERENCES api_keys (id) ON DELETE
            CASCADE
    )
    """,
    "CREATE INDEX ix_budgets_agent_id ON budgets (agent_id)",
    "CREATE INDEX ix_budgets_key_id ON budgets (key_id)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
