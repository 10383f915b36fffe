"""Batches of requests, and what has become of each."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Text

from eunoe.store.tables.columns import key, metadata, organization, partial, to

batches = Table(
    "batches",
    metadata,
    key(),
    organization(),
    Column("user_id", Text, nullable=False),
    Column("key_id", Text),
    Column("status", Text, nullable=False),
    Column("callback_url", Text),
    Column("callback_sent_at", BigInteger),
    Column("callback_status_code", BigInteger),
    Column("callback_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
    Index(None, "organization_id", "created_at", "id"),
)

# Agents and runs may go while a batch stays: an item without them still has its result.
batch_items = Table(
    "batch_items",
    metadata,
    to("batch_id", "batches.id"),
    Column("place", BigInteger, nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("ask_json", Text, nullable=False),  # domain.inputs.Ask
    Column("run_id", Text),
    Column("status", Text),  # of the run, once it has ended
    Column("error", Text),
    Column("ended_at", BigInteger),
    PrimaryKeyConstraint("batch_id", "place"),
    partial("ended_at IS NULL", "ix_batch_items_left", "batch_id", "agent_id", "place"),
)
