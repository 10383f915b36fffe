"""How organizations want their custom tools run."""

from sqlalchemy import Column, Table, Text, UniqueConstraint

from eunoe.store.tables.columns import audit, key, metadata, organization, to

sandbox_configs = Table(
    "sandbox_configs",
    metadata,
    key(),
    organization(),
    Column("type", Text, nullable=False),
    Column("config_json", Text, nullable=False),
    *audit(),
    UniqueConstraint("organization_id", "type"),
)

sandbox_variables = Table(
    "sandbox_variables",
    metadata,
    key(),
    organization(),
    to("sandbox_config_id", "sandbox_configs.id"),
    Column("key", Text, nullable=False),
    Column("sealed", Text, nullable=False),  # by store.sealing.Sealer
    Column("description", Text),
    *audit(),
    UniqueConstraint("sandbox_config_id", "key"),
)
