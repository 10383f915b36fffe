"""Who administered what, and when."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from eunoe.store.tables.columns import key, metadata, organization

# Rows are added with what they tell of, and go by age alone.
audit_entries = Table(
    "audit_entries",
    metadata,
    key(),
    organization(),
    Column("actor_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("request_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "organization_id", "created_at", "id"),
    Index(None, "created_at"),
)
