"""Whom agents and blocks belong to in the caller's own world."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from eunoe.store.tables.columns import audit, key, metadata, organization, to

identities = Table(
    "identities",
    metadata,
    key(),
    organization(),
    # Empty for none: a null would be unlike every other null, and the keys not unique.
    Column("project_id", Text, nullable=False),
    Column("identifier_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("identity_type", Text, nullable=False),
    Column("properties_json", Text, nullable=False),  # domain.identities.Property, a list of them
    *audit(),
    UniqueConstraint("organization_id", "project_id", "identifier_key"),
    Index(None, "organization_id", "created_at", "id"),
)

agents_identities = Table(
    "agents_identities",
    metadata,
    to("agent_id", "agents.id"),
    to("identity_id", "identities.id"),
    PrimaryKeyConstraint("agent_id", "identity_id"),
    Index(None, "identity_id"),
)

blocks_identities = Table(
    "blocks_identities",
    metadata,
    to("block_id", "blocks.id"),
    to("identity_id", "identities.id"),
    PrimaryKeyConstraint("block_id", "identity_id"),
    Index(None, "identity_id"),
)
