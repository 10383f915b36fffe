"""MCP servers, which tools are theirs, and the grants with which they are asked."""

from typing import Final

from alembic import op

revision: Final = "0012"
down_revision: Final = "0011"

_STATEMENTS: Final = (
    """
    CREATE TABLE mcp_servers (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL, config_sealed
        TEXT NOT NULL, created_by_id TEXT, last_updated_by_id TEXT, created_at BIGINT NOT
        NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_mcp_servers PRIMARY KEY (id),
        CONSTRAINT uq_mcp_servers_organization_id_name UNIQUE (organization_id, name)
    )
    """,
    """
    CREATE TABLE mcp_tools (
        tool_id TEXT NOT NULL, server_id TEXT NOT NULL, remote_name TEXT NOT NULL,
        CONSTRAINT pk_mcp_tools PRIMARY KEY (tool_id),
        CONSTRAINT uq_mcp_tools_server_id_remote_name UNIQUE (server_id, remote_name),
        CONSTRAINT fk_mcp_tools_tool_id FOREIGN KEY(tool_id) REFERENCES tools (id) ON DELETE
            CASCADE,
        CONSTRAINT fk_mcp_tools_server_id FOREIGN KEY(server_id) REFERENCES mcp_servers (id)
            ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE mcp_oauth_sessions (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, server_id TEXT NOT NULL, user_id TEXT
        NOT NULL, state TEXT, answer_sealed TEXT, grant_sealed TEXT, created_at BIGINT NOT
        NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_mcp_oauth_sessions PRIMARY KEY (id),
        CONSTRAINT uq_mcp_oauth_sessions_server_id_user_id UNIQUE (server_id, user_id),
        CONSTRAINT uq_mcp_oauth_sessions_state UNIQUE (state),
        CONSTRAINT fk_mcp_oauth_sessions_server_id FOREIGN KEY(server_id) REFERENCES
            mcp_servers (id) ON DELETE CASCADE
    )
    """,
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
