"""Templates of agents, and their versions, which never change."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from eunoe.store.tables.columns import key, metadata, organization, to

templates = Table(
    "templates",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("agent_id", Text),  # whose state the working version is, while nothing replaced it
    Column("current_json", Text),  # domain.templates.Snapshot; what replaced it
    Column("latest_version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("organization_id", "name"),
    Index(None, "organization_id", "created_at", "id"),
)

template_versions = Table(
    "template_versions",
    metadata,
    to("template_id", "templates.id"),
    Column("version", BigInteger, nullable=False),
    Column("message", Text),
    Column("snapshot_json", Text, nullable=False),  # domain.templates.Snapshot
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("template_id", "version"),
)
