"""Archives and the passages in them."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from eunoe.store.tables.columns import audit, key, metadata, organization, sequence, to

archives = Table(
    "archives",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("embedding_json", Text),
    Column("metadata_json", Text),
    *audit(),
    Index(None, "organization_id", "created_at", "id"),
)

agents_archives = Table(
    "agents_archives",
    metadata,
    to("agent_id", "agents.id"),
    to("archive_id", "archives.id"),
    PrimaryKeyConstraint("agent_id", "archive_id"),
    UniqueConstraint("agent_id"),
    Index(None, "archive_id"),
)

passages = Table(
    "passages",
    metadata,
    Column("seq", sequence, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    organization(),
    to("archive_id", "archives.id"),
    Column("text", Text, nullable=False),
    Column("tags_json", Text, nullable=False),
    Column("metadata_json", Text, nullable=False),
    # Handle of the embedder whose vector is stored; null while the passage has none.
    Column("embedder", Text),
    *audit(),
    Index(None, "archive_id", "created_at", "id"),
)

passage_tags = Table(
    "passage_tags",
    metadata,
    Column(
        "passage_seq",
        BigInteger,
        ForeignKey("passages.seq", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("tag", Text, nullable=False),
    PrimaryKeyConstraint("passage_seq", "tag"),
)
