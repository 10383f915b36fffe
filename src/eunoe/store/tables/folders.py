"""Folders and the files in them: the upload, the text in pages, and who has what open."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.sqlite import BLOB

from eunoe.store.tables.columns import audit, key, link, metadata, organization, partial, to

folders = Table(
    "folders",
    metadata,
    key(),
    organization(),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("instructions", Text),
    Column("metadata_json", Text),
    Column("embedding_json", Text, nullable=False),
    *audit(),
    UniqueConstraint("organization_id", "name"),
    Index(None, "organization_id", "created_at", "id"),
)

files = Table(
    "files",
    metadata,
    key(),
    organization(),
    to("folder_id", "folders.id"),
    Column("name", Text, nullable=False),
    Column("original_name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("total_chunks", BigInteger),
    Column("chunks_embedded", BigInteger),
    # Null until the text is there.
    Column("line_count", BigInteger),
    # Counts who took the work on it up; a commit of any but the last is refused.
    Column("fence", BigInteger, nullable=False),
    Column("is_done", Integer, nullable=False),
    *audit(),
    UniqueConstraint("folder_id", "name"),
    Index(None, "folder_id", "created_at", "id"),
    Index(None, "folder_id", "original_name"),
    partial("is_done = 0", "ix_files_left", "id"),
)

file_parts = Table(
    "file_parts",
    metadata,
    to("file_id", "files.id"),
    Column("position", BigInteger, nullable=False),
    Column("data", LargeBinary().with_variant(BLOB(), "sqlite"), nullable=False),
    PrimaryKeyConstraint("file_id", "position"),
)

file_pages = Table(
    "file_pages",
    metadata,
    to("file_id", "files.id"),
    Column("position", BigInteger, nullable=False),
    # Number of the line, from 0, that the page begins in; and whether it begins inside it.
    Column("first_line", BigInteger, nullable=False),
    Column("is_inside", Integer, nullable=False),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("file_id", "position"),
)

agents_folders = link("agents_folders", agent_id="agents.id", folder_id="folders.id")

agents_files = Table(
    "agents_files",
    metadata,
    key(),
    organization(),
    to("agent_id", "agents.id"),
    to("file_id", "files.id"),
    Column("is_open", Integer, nullable=False),
    Column("visible", Text),
    # As they were asked for, from 0 and exclusive; null where the whole file was.
    Column("start_line", BigInteger),
    Column("end_line", BigInteger),
    Column("last_accessed_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("agent_id", "file_id"),
    Index(None, "agent_id", "created_at", "id"),
    Index(None, "file_id"),
)
