"""Folders, their files, and what agents have open of them.

A folder is searched as an archive is: it has one of its own, which nobody sees.
"""

from typing import Final

from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"

_STATEMENTS: Final = (
    """
    CREATE TABLE folders (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL,
        description TEXT, instructions TEXT, metadata_json TEXT, embedding_json TEXT NOT
        NULL, created_by_id TEXT, last_updated_by_id TEXT, created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT pk_folders PRIMARY KEY (id),
        CONSTRAINT uq_folders_organization_id_name UNIQUE (organization_id, name)
    )
    """,
    """
    CREATE INDEX ix_folders_organization_id_created_at_id ON folders (organization_id,
    created_at, id)
    """,
    """
    CREATE TABLE files (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, folder_id TEXT NOT NULL, name TEXT
        NOT NULL, original_name TEXT NOT NULL, type TEXT NOT NULL, size BIGINT NOT NULL,
        status TEXT NOT NULL, error TEXT, total_chunks BIGINT, chunks_embedded BIGINT,
        line_count BIGINT, fence BIGINT NOT NULL, is_done INTEGER NOT NULL, created_by_id
        TEXT, last_updated_by_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_files PRIMARY KEY (id),
        CONSTRAINT uq_files_folder_id_name UNIQUE (folder_id, name),
        CONSTRAINT fk_files_folder_id FOREIGN KEY(folder_id) REFERENCES folders (id) ON
            DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_files_folder_id_created_at_id ON files (folder_id, created_at, id)",
    "CREATE INDEX ix_files_folder_id_original_name ON files (folder_id, original_name)",
    "CREATE INDEX ix_files_left ON files (id) WHERE is_done = 0",
    """
    CREATE TABLE file_parts (
        file_id TEXT NOT NULL, position BIGINT NOT NULL, data {bytes} NOT NULL,
        CONSTRAINT pk_file_parts PRIMARY KEY (file_id, position),
        CONSTRAINT fk_file_parts_file_id FOREIGN KEY(file_id) REFERENCES files (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE TABLE file_pages (
        file_id TEXT NOT NULL, position BIGINT NOT NULL, first_line BIGINT NOT NULL,
        is_inside INTEGER NOT NULL, text TEXT NOT NULL,
        CONSTRAINT pk_file_pages PRIMARY KEY (file_id, position),
        CONSTRAINT fk_file_pages_file_id FOREIGN KEY(file_id) REFERENCES files (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE TABLE agents_folders (
        agent_id TEXT NOT NULL, folder_id TEXT NOT NULL, position BIGINT NOT NULL,
        CONSTRAINT pk_agents_folders PRIMARY KEY (agent_id, folder_id),
        CONSTRAINT fk_agents_folders_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id)
            ON DELETE CASCADE,
        CONSTRAINT fk_agents_folders_folder_id FOREIGN KEY(folder_id) REFERENCES folders
            (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_agents_folders_folder_id ON agents_folders (folder_id)",
    """
    CREATE TABLE agents_files (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, agent_id TEXT NOT NULL, file_id
        TEXT NOT NULL, is_open INTEGER NOT NULL, visible TEXT, start_line BIGINT, end_line
        BIGINT, last_accessed_at BIGINT NOT NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_agents_files PRIMARY KEY (id),
        CONSTRAINT uq_agents_files_agent_id_file_id UNIQUE (agent_id, file_id),
        CONSTRAINT fk_agents_files_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE,
        CONSTRAINT fk_agents_files_file_id FOREIGN KEY(file_id) REFERENCES files (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE INDEX ix_agents_files_agent_id_created_at_id ON agents_files (agent_id,
    created_at, id)
    """,
    "CREATE INDEX ix_agents_files_file_id ON agents_files (file_id)",
    """
    ALTER TABLE archives ADD COLUMN folder_id TEXT CONSTRAINT fk_archives_folder_id
    REFERENCES folders (id) ON DELETE CASCADE
    """,
    """
    CREATE INDEX ix_archives_folder_id ON archives (folder_id) WHERE folder_id IS NOT NULL
    """,
    """
    ALTER TABLE passages ADD COLUMN file_id TEXT CONSTRAINT fk_passages_file_id
    REFERENCES files (id) ON DELETE CASCADE
    """,
    """
    CREATE INDEX ix_passages_file_id_seq ON passages (file_id, seq) WHERE file_id IS NOT NULL
    """,
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    kind = "BLOB" if op.get_context().dialect.name == "sqlite" else "BYTEA"
    for statement in _STATEMENTS:
        op.execute(statement.replace("{bytes}", kind))
