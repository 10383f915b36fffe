"""Groups of agents, and what their members are still to be told."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint

from eunoe.store.tables.columns import audit, key, link, metadata, organization, to

agent_groups = Table(
    "agent_groups",
    metadata,
    key(),
    organization(),
    Column("manager_type", Text, nullable=False),
    Column("description", Text, nullable=False),
    to("manager_agent_id", "agents.id", nullable=True),
    Column("termination_token", Text),
    Column("max_turns", BigInteger),
    Column("sleeptime_agent_frequency", BigInteger),
    Column("turns_counter", BigInteger),
    Column("last_processed_message_id", Text),
    Column("max_message_buffer_length", BigInteger),
    Column("min_message_buffer_length", BigInteger),
    Column("hidden", Integer),
    Column("project_id", Text),
    Column("template_id", Text),
    Column("base_template_id", Text),
    Column("deployment_id", Text),
    *audit(),
    Index(None, "organization_id", "created_at", "id"),
    Index(None, "manager_agent_id"),
)

group_members = link("group_members", group_id="agent_groups.id", agent_id="agents.id")

group_blocks = link("group_blocks", group_id="agent_groups.id", block_id="blocks.id")

# Runs that a run has brought about and that are not begun yet, written where that one ends (G-9).
follow_ups = Table(
    "follow_ups",
    metadata,
    Column("run_id", Text, primary_key=True),  # what the run will be called
    organization(),
    Column("user_id", Text, nullable=False),
    Column("cause_run_id", Text, nullable=False),
    to("group_id", "agent_groups.id"),
    to("agent_id", "agents.id"),
    Column("after_message_id", Text),
    Column("upto_message_id", Text, nullable=False),
    Column("options_json", Text, nullable=False),  # domain.runs.RunOptions
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("cause_run_id", "agent_id"),
    Index(None, "group_id"),
    Index(None, "agent_id"),
)
