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

from eunoe.store.tables.columns import audit, key, metadata, organization, partial, sequence, to

archives = Table(
    "archives",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("embedding_json", Text),
    Column("metadata_json", Text),
    # The folder whose files are searched here; such an archive is nobody's to see.
    to("folder_id", "folders.id", nullable=True),
    *audit(),
    Index(None, "organization_id", "created_at", "id"),
    partial("folder_id IS NOT NULL", None, "folder_id"),
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
    to("file_id", "files.id", nullable=True),
    *audit(),
    Index(None, "archive_id", "created_at", "id"),
    partial("file_id IS NOT NULL", None, "file_id", "seq"),
    partial("embedder IS NULL", "ix_passages_pending", "archive_id", "seq"),
)

# What became of a passage. It outlives the passage, whose text it takes over at the end.
passage_versions = Table(
    "passage_versions",
    metadata,
    key(),  # "{passage_id}:{version}"
    organization(),
    Column("passage_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    to("archive_id", "archives.id"),
    Column("deed", Text, nullable=False),  # domain.passages.Deed
    Column("text", Text),
    Column("tags_json", Text),
    Column("actor_id", Text),
    Column("agent_id", Text),
    Column("run_id", Text),
    Column("step_id", Text),
    Column("message_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "passage_id", "version"),
    Index(None, "archive_id"),
)

passage_tags = Table(
    "passage_tags",
    metadata,
    Column(
        "passage_seq", BigInteger, ForeignKey("passages.seq", ondelete="CASCADE"), nullable=False
    ),
    Column("tag", Text, nullable=False),
    PrimaryKeyConstraint("passage_seq", "tag"),
)
