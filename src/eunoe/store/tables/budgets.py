"""How much may be spent, and how much has been."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint

from eunoe.store.tables.columns import key, metadata, organization, to

# No row, no work: a step looks here only where its organization has one.
budgets = Table(
    "budgets",
    metadata,
    key(),
    organization(),
    Column("subject_id", Text, nullable=False),  # the organization's, or one of the next two
    to("agent_id", "agents.id", nullable=True),
    to("key_id", "api_keys.id", nullable=True),
    Column("period", Text, nullable=False),  # domain.costs.Period
    Column("limit_nanos", BigInteger, nullable=False),
    Column("spent_nanos", BigInteger, nullable=False),  # in the period that began then
    Column("since", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("organization_id", "subject_id", "period"),
    Index(None, "agent_id"),
    Index(None, "key_id"),
)
