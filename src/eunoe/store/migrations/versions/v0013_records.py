"""Records that can be trusted: whose call a change was, what became of passages, who did what."""

from typing import Final

from alembic import op

revision: Final = "0013"
down_revision: Final = "0012"

_STATEMENTS: Final = (
    "ALTER TABLE blocks ADD COLUMN approve_writes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE block_versions ADD COLUMN message_id TEXT",
    "ALTER TABLE block_versions ADD COLUMN metadata_json TEXT",
    "ALTER TABLE block_versions ADD COLUMN tags_json TEXT",
    "ALTER TABLE block_versions ADD COLUMN id TEXT",
    "UPDATE block_versions SET id = block_id || ':' || CAST(version AS TEXT)",
    "CREATE UNIQUE INDEX ix_block_versions_id ON block_versions (id)",
    """
    CREATE TABLE passage_versions (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, passage_id TEXT NOT NULL, version
        BIGINT NOT NULL, archive_id TEXT NOT NULL, deed TEXT NOT NULL, text TEXT, tags_json
        TEXT, actor_id TEXT, agent_id TEXT, run_id TEXT, step_id TEXT, message_id TEXT,
        created_at BIGINT NOT NULL,
        CONSTRAINT pk_passage_versions PRIMARY KEY (id),
        CONSTRAINT fk_passage_versions_archive_id FOREIGN KEY(archive_id) REFERENCES
            archives (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_passage_versions_passage_id_version ON passage_versions (passage_id, version)
    """,
    "CREATE INDEX ix_passage_versions_archive_id ON passage_versions (archive_id)",
    """
    CREATE TABLE audit_entries (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, actor_id TEXT NOT NULL, action TEXT
        NOT NULL, object_id TEXT NOT NULL, request_id TEXT, created_at BIGINT NOT NULL,
        CONSTRAINT pk_audit_entries PRIMARY KEY (id)
    )
    """,
    """
    CREATE INDEX ix_audit_entries_organization_id_created_at_id
    ON audit_entries (organization_id, created_at, id)
    """,
    "CREATE INDEX ix_audit_entries_created_at ON audit_entries (created_at)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
