"""What was exchanged with the providers of models, for the steps that were traced."""

from typing import Final

from alembic import op

revision: Final = "0017"
down_revision: Final = "0016"

_STATEMENTS: Final = (
    """
    CREATE TABLE provider_traces (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, step_id TEXT NOT NULL, run_id TEXT,
        agent_id TEXT, model TEXT, latency_ms BIGINT NOT NULL, bytes BIGINT NOT NULL, request_z
        {bytes} NOT NULL, response_z {bytes} NOT NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_provider_traces PRIMARY KEY (id),
        CONSTRAINT fk_provider_traces_step_id FOREIGN KEY(step_id) REFERENCES steps (id) ON DELETE
            CASCADE
    )
    """,
    "CREATE INDEX ix_provider_traces_step_id ON provider_traces (step_id)",
    "CREATE INDEX ix_provider_traces_created_at ON provider_traces (created_at)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    kind = "BLOB" if op.get_context().dialect.name == "sqlite" else "BYTEA"
    for statement in _STATEMENTS:
        op.execute(statement.replace("{bytes}", kind))
