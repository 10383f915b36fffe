"""What was said, and which of it is in a model's window."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from eunoe.store.tables.columns import audit, key, metadata, organization, partial, sequence, to

conversations = Table(
    "conversations",
    metadata,
    key(),
    organization(),
    to("agent_id", "agents.id"),
    Column("summary", Text),
    Column("description", Text),
    Column("model", Text),
    Column("model_settings_json", Text),
    Column("context_window_limit", BigInteger),
    Column("hidden", Integer),
    Column("archived_at", BigInteger),
    Column("last_message_at", BigInteger),
    Column("last_run_completion", BigInteger),
    # A deleted conversation leaves its row to its runs; what was said in it goes at once.
    Column("deleted_at", BigInteger),
    *audit(),
    Index(None, "agent_id"),
    Index(None, "organization_id", "created_at", "id"),
)

# The blocks that one conversation has in place of the agent's of the same label.
conversations_blocks = Table(
    "conversations_blocks",
    metadata,
    to("conversation_id", "conversations.id"),
    to("block_id", "blocks.id"),
    # A copy of the block's label, as on an agent.
    Column("label", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("conversation_id", "block_id"),
    UniqueConstraint("conversation_id", "label"),
    Index(None, "block_id"),
)

messages = Table(
    "messages",
    metadata,
    # The immutable total order of everything said; lists are sorted and paged by it (G-16).
    Column("seq", sequence, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    organization(),
    to("agent_id", "agents.id"),
    to("conversation_id", "conversations.id", nullable=True),
    Column("role", Text, nullable=False),
    # What else a domain.messages.Message has, as far as it is there: {"content": [...], ...},
    # as `packing` stores it.
    Column("body", LargeBinary, nullable=False),
    Column("model", Text),
    Column("name", Text),
    Column("otid", Text),
    Column("sender_id", Text),
    Column("group_id", Text),
    Column("step_id", Text),
    Column("run_id", Text),
    Column("is_err", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Whether it says something that a search may find, and by which embedder that was seen.
    Column("findable", Integer, nullable=False),
    Column("embedder", Text),
    Index(None, "agent_id", "seq"),
    partial("findable = 1 AND embedder IS NULL", "ix_messages_pending", "agent_id", "seq"),
    Index(None, "organization_id", "seq"),
    Index(None, "conversation_id", "seq"),
    Index(None, "run_id", "seq"),
    Index(None, "step_id"),
    partial("group_id IS NOT NULL", None, "group_id", "seq"),
)

# Counts the changes of a list that are not appends (evictions, a rewritten system message), so
# that whoever keeps a window in memory learns with one small read that it must be read anew.
message_lists = Table(
    "message_lists", metadata, key(), Column("version", BigInteger, nullable=False)
)

# A message list is an agent's own (`list_id` is the agent's id) or a conversation's. A row says
# that the message belongs to the list; `position` is its place in the model's window, null once it
# was evicted. Positions are never renumbered: a summary takes the place of the first it replaces.
# `message_id` is a copy for those in the window, so that an agent is shown without its messages.
list_entries = Table(
    "list_entries",
    metadata,
    Column("list_id", Text, nullable=False),
    Column(
        "message_seq", BigInteger, ForeignKey("messages.seq", ondelete="CASCADE"), nullable=False
    ),
    Column("position", BigInteger),
    Column("message_id", Text),
    PrimaryKeyConstraint("list_id", "message_seq"),
    partial("position IS NOT NULL", "ix_list_entries_window", "list_id", "position", unique=True),
    Index(None, "message_seq"),
    sqlite_with_rowid=False,
)
