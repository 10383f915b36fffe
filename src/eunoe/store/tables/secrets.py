"""Values that are sealed before they are stored, and tokens of which only a digest is."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint

from eunoe.store.tables.columns import audit, key, metadata, organization, to

agent_secrets = Table(
    "agent_secrets",
    metadata,
    key(),
    organization(),
    to("agent_id", "agents.id"),
    Column("key", Text, nullable=False),
    Column("sealed", Text, nullable=False),  # by store.sealing.Sealer
    *audit(),
    UniqueConstraint("agent_id", "key"),
)

# A deleted one stays without its keys, so that one of the same name gets its id back (api 18.3).
providers = Table(
    "providers",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("provider_type", Text, nullable=False),
    Column("base_url", Text),
    Column("region", Text),
    Column("api_version", Text),
    Column("api_key_sealed", Text),
    Column("access_key_sealed", Text),
    Column("is_deleted", Integer, nullable=False),
    Column("last_synced", BigInteger),
    *audit(),
    UniqueConstraint("organization_id", "name"),
    Index(None, "organization_id", "created_at", "id"),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    key(),
    organization(),
    Column("user_id", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("hostname", Text, nullable=False),
    Column("policy_json", Text, nullable=False),  # domain.access_tokens.Grant, a list of them
    Column("expires_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "organization_id", "created_at", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    key(),
    organization(),
    Column("user_id", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),  # domain.keys.Scope
    Column("agent_ids_json", Text, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "created_at", "id"),
)
