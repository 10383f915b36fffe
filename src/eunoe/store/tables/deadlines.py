"""When requests for approval are decided by themselves."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from eunoe.store.tables.columns import key, metadata, organization, to

deadlines = Table(
    "deadlines",
    metadata,
    key(),  # the message that asks
    organization(),
    to("agent_id", "agents.id"),
    Column("answers_json", Text, nullable=False),  # tuple of domain.messages.Answer
    Column("due_at", BigInteger, nullable=False),
    Index(None, "due_at"),
    Index(None, "agent_id"),
)
