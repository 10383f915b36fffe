"""Messages that are sent to an agent at a time."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from eunoe.store.tables.columns import key, metadata, organization, partial, to

schedules = Table(
    "schedules",
    metadata,
    key(),
    organization(),
    Column("user_id", Text, nullable=False),
    Column("key_id", Text),
    to("agent_id", "agents.id"),
    Column("once_at", BigInteger),  # null for one that recurs
    Column("cron", Text),  # null for one that does not
    Column("timezone", Text),
    Column("ask_json", Text, nullable=False),  # domain.inputs.Ask
    Column("next_at", BigInteger),  # null once it is over
    Column("last_at", BigInteger),
    Column("last_run_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "agent_id", "created_at", "id"),
    partial("next_at IS NOT NULL", "ix_schedules_due", "next_at"),
)
