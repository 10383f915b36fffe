"""MCP servers, which tools are theirs, and the grants with which they are asked."""

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from eunoe.store.tables.columns import audit, key, metadata, organization, to

mcp_servers = Table(
    "mcp_servers",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("config_sealed", Text, nullable=False),  # domain.mcp_servers.McpConfig
    *audit(),
    UniqueConstraint("organization_id", "name"),
)

mcp_tools = Table(
    "mcp_tools",
    metadata,
    to("tool_id", "tools.id"),
    to("server_id", "mcp_servers.id"),
    # What the server calls the tool, whatever it is called here.
    Column("remote_name", Text, nullable=False),
    PrimaryKeyConstraint("tool_id"),
    UniqueConstraint("server_id", "remote_name"),
)

# One for each user of a server that wants them to sign in.
mcp_oauth_sessions = Table(
    "mcp_oauth_sessions",
    metadata,
    key(),
    organization(),
    to("server_id", "mcp_servers.id"),
    Column("user_id", Text, nullable=False),
    # Of the sign-in that is going on; what its answer came to, sealed, is read once.
    Column("state", Text, unique=True),
    Column("answer_sealed", Text),
    Column("grant_sealed", Text),  # the client as registered, and its tokens
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("server_id", "user_id"),
)
