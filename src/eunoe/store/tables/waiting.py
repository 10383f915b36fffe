"""Runs that wait for their message list to be free."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from eunoe.store.tables.columns import metadata, organization

waiting_runs = Table(
    "waiting_runs",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    organization(),
    Column("user_id", Text, nullable=False),
    Column("list_id", Text, nullable=False),  # the one waited for; the run's own is free
    Column("urgent", Integer, nullable=False),  # 0 goes first
    Column("created_at", BigInteger, nullable=False),
    Column("said_json", Text, nullable=False),  # domain.messages.Message, a list
    Index(None, "list_id", "urgent", "created_at"),
)
