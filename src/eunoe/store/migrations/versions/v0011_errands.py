"""Work for later: messages that are sent at a time, batches, whom to tell; and templates."""

from typing import Final

from alembic import op

revision: Final = "0011"
down_revision: Final = "0010"

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
    """
    CREATE TABLE batches (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, user_id TEXT NOT NULL, status TEXT NOT
        NULL, callback_url TEXT, callback_sent_at BIGINT, callback_status_code BIGINT,
        callback_error TEXT, created_at BIGINT NOT NULL, completed_at BIGINT,
        CONSTRAINT pk_batches PRIMARY KEY (id)
    )
    """,
    """
    CREATE INDEX ix_batches_organization_id_created_at_id ON batches (organization_id,
    created_at, id)
    """,
    """
    CREATE TABLE batch_items (
        batch_id TEXT NOT NULL, place BIGINT NOT NULL, agent_id TEXT NOT NULL, ask_json TEXT NOT
        NULL, run_id TEXT, status TEXT, error TEXT, ended_at BIGINT,
        CONSTRAINT pk_batch_items PRIMARY KEY (batch_id, place),
        CONSTRAINT fk_batch_items_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_batch_items_left ON batch_items (batch_id, agent_id, place) WHERE ended_at
    IS NULL
    """,
    """
    CREATE TABLE templates (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
        agent_id TEXT, current_json TEXT, latest_version BIGINT NOT NULL, created_at BIGINT NOT
        NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_templates PRIMARY KEY (id),
        CONSTRAINT uq_templates_organization_id_name UNIQUE (organization_id, name)
    )
    """,
    """
    CREATE INDEX ix_templates_organization_id_created_at_id ON templates (organization_id,
    created_at, id)
    """,
    """
    CREATE TABLE template_versions (
        template_id TEXT NOT NULL, version BIGINT NOT NULL, message TEXT, snapshot_json TEXT NOT
        NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_template_versions PRIMARY KEY (template_id, version),
        CONSTRAINT fk_template_versions_template_id FOREIGN KEY(template_id) REFERENCES
            templates (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_callbacks_next_at ON callbacks (next_at)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
