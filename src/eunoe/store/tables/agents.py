"""Who there is, and what is attached to an agent: its blocks and tools."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from eunoe.store.tables.columns import audit, key, link, metadata, organization, to

organizations = Table(
    "organizations",
    metadata,
    key(),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    key(),
    to("organization_id", "organizations.id"),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

agents = Table(
    "agents",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("agent_type", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("model_json", Text, nullable=False),  # domain.models.ModelConfig
    Column("embedding_json", Text),  # domain.models.EmbeddingConfig
    Column("compaction_json", Text, nullable=False),  # domain.agents.CompactionSettings
    Column("description", Text),
    Column("metadata_json", Text),
    Column("timezone", Text, nullable=False),
    Column("tool_rules_json", Text, nullable=False),  # list of rule objects
    Column("call_policies_json", Text),  # domain.call_policies.CallPolicies
    Column("message_buffer_autoclear", Integer, nullable=False),
    Column("enable_sleeptime", Integer),
    Column("response_format_json", Text),
    Column("hidden", Integer),
    Column("max_files_open", BigInteger),
    Column("per_file_view_window_char_limit", BigInteger),
    Column("project_id", Text),
    Column("template_id", Text),
    Column("base_template_id", Text),
    Column("deployment_id", Text),
    Column("entity_id", Text),
    Column("last_stop_reason", Text),
    Column("last_run_completion", BigInteger),
    Column("last_run_duration_ms", BigInteger),
    *audit(),
    Index(None, "organization_id", "created_at", "id"),
    Index(None, "organization_id", "updated_at", "id"),
)

agent_tags = Table(
    "agent_tags",
    metadata,
    to("agent_id", "agents.id"),
    Column("tag", Text, nullable=False),
    PrimaryKeyConstraint("agent_id", "tag"),
    Index(None, "tag", "agent_id"),
)

blocks = Table(
    "blocks",
    metadata,
    key(),
    organization(),
    Column("label", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("char_limit", BigInteger, nullable=False),
    Column("description", Text),
    Column("read_only", Integer, nullable=False),
    # Whether an agent's own changes of it wait for a person.
    Column("approve_writes", Integer, nullable=False),
    Column("metadata_json", Text, nullable=False),
    Column("tags_json", Text, nullable=False),
    Column("hidden", Integer),
    Column("is_template", Integer, nullable=False),
    Column("template_name", Text),
    Column("template_id", Text),
    Column("base_template_id", Text),
    Column("deployment_id", Text),
    Column("entity_id", Text),
    Column("preserve_on_migration", Integer),
    Column("project_id", Text),
    Column("version", BigInteger, nullable=False),
    *audit(),
    Index(None, "organization_id", "created_at", "id"),
    Index(None, "organization_id", "label"),
)

block_versions = Table(
    "block_versions",
    metadata,
    to("block_id", "blocks.id"),
    Column("version", BigInteger, nullable=False),
    Column("label", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("char_limit", BigInteger, nullable=False),
    Column("description", Text),
    Column("read_only", Integer, nullable=False),
    Column("actor_id", Text),
    Column("agent_id", Text),
    Column("run_id", Text),
    Column("step_id", Text),
    Column("message_id", Text),
    Column("metadata_json", Text),
    Column("tags_json", Text),
    # "{block_id}:{version}", for pages of it.
    Column("id", Text),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("block_id", "version"),
    Index(None, "id", unique=True),
)

agents_blocks = Table(
    "agents_blocks",
    metadata,
    to("agent_id", "agents.id"),
    to("block_id", "blocks.id"),
    # A copy of the block's label, so that the database itself keeps labels unique per agent.
    Column("label", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("agent_id", "block_id"),
    UniqueConstraint("agent_id", "label"),
    Index(None, "block_id"),
)

tools = Table(
    "tools",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("tool_type", Text, nullable=False),
    Column("body_json", Text, nullable=False),  # domain.tools.Tool without id, name, tool_type
    *audit(),
    UniqueConstraint("organization_id", "name"),
    Index(None, "organization_id", "created_at", "id"),
)

agents_tools = link("agents_tools", agent_id="agents.id", tool_id="tools.id")
