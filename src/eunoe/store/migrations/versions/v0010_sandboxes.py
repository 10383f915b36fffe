"""How organizations want their custom tools run, and the variables that these find."""

from typing import Final

from alembic import op

revision: Final = "0010"
down_revision: Final = "0009"

_STATEMENTS: Final = (
    """
    CREATE TABLE sandbox_configs (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, type TEXT NOT NULL, config_json TEXT
        NOT NULL, created_by_id TEXT, last_updated_by_id TEXT, created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT pk_sandbox_configs PRIMARY KEY (id),
        CONSTRAINT uq_sandbox_configs_organization_id_type UNIQUE (organization_id, type)
    )
    """,
    """
    CREATE TABLE sandbox_variables (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, sandbox_config_id TEXT NOT NULL, key
        TEXT NOT NULL, sealed TEXT NOT NULL, description TEXT, created_by_id TEXT,
        last_updated_by_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_sandbox_variables PRIMARY KEY (id),
        CONSTRAINT uq_sandbox_variables_sandbox_config_id_key UNIQUE (sandbox_config_id, key),
        CONSTRAINT fk_sandbox_variables_sandbox_config_id FOREIGN KEY(sandbox_config_id)
            REFERENCES sandbox_configs (id) ON DELETE CASCADE
    )
    """,
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
