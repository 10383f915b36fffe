"""Sealed secrets of agents, callers' own providers and tokens, and identities."""

from typing import Final

from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"

_STATEMENTS: Final = (
    """
    CREATE TABLE agent_secrets (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, agent_id TEXT NOT NULL, key TEXT NOT
        NULL, sealed TEXT NOT NULL, created_by_id TEXT, last_updated_by_id TEXT, created_at
        BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_agent_secrets PRIMARY KEY (id),
        CONSTRAINT uq_agent_secrets_agent_id_key UNIQUE (agent_id, key),
        CONSTRAINT fk_agent_secrets_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE TABLE providers (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL, provider_type
        TEXT NOT NULL, base_url TEXT, region TEXT, api_version TEXT, api_key_sealed TEXT,
        access_key_sealed TEXT, is_deleted INTEGER NOT NULL, last_synced BIGINT, created_by_id
        TEXT, last_updated_by_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_providers PRIMARY KEY (id),
        CONSTRAINT uq_providers_organization_id_name UNIQUE (organization_id, name)
    )
    """,
    """
    CREATE INDEX ix_providers_organization_id_created_at_id ON providers (organization_id,
    created_at, id)
    """,
    """
    CREATE TABLE access_tokens (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, user_id TEXT NOT NULL, digest TEXT
        NOT NULL, hostname TEXT NOT NULL, policy_json TEXT NOT NULL, expires_at BIGINT NOT
        NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_access_tokens PRIMARY KEY (id),
        CONSTRAINT uq_access_tokens_digest UNIQUE (digest)
    )
    """,
    """
    CREATE INDEX ix_access_tokens_organization_id_created_at_id ON access_tokens
    (organization_id, created_at, id)
    """,
    """
    CREATE TABLE identities (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, project_id TEXT NOT NULL,
        identifier_key TEXT NOT NULL, name TEXT NOT NULL, identity_type TEXT NOT NULL,
        properties_json TEXT NOT NULL, created_by_id TEXT, last_updated_by_id TEXT, created_at
        BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_identities PRIMARY KEY (id),
        CONSTRAINT uq_identities_organization_id_project_id_identifier_key UNIQUE
            (organization_id, project_id, identifier_key)
    )
    """,
    """
    CREATE INDEX ix_identities_organization_id_created_at_id ON identities (organization_id,
    created_at, id)
    """,
    """
    CREATE TABLE agents_identities (
        agent_id TEXT NOT NULL, identity_id TEXT NOT NULL,
        CONSTRAINT pk_agents_identities PRIMARY KEY (agent_id, identity_id),
        CONSTRAINT fk_agents_identities_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id)
            ON DELETE CASCADE,
        CONSTRAINT fk_agents_identities_identity_id FOREIGN KEY(identity_id) REFERENCES
            identities (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_agents_identities_identity_id ON agents_identities (identity_id)",
    """
    CREATE TABLE blocks_identities (
        block_id TEXT NOT NULL, identity_id TEXT NOT NULL,
        CONSTRAINT pk_blocks_identities PRIMARY KEY (block_id, identity_id),
        CONSTRAINT fk_blocks_identities_block_id FOREIGN KEY(block_id) REFERENCES blocks (id)
            ON DELETE CASCADE,
        CONSTRAINT fk_blocks_identities_identity_id FOREIGN KEY(identity_id) REFERENCES
            identities (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_blocks_identities_identity_id ON blocks_identities (identity_id)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
