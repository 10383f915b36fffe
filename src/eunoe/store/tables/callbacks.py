"""Whom to tell of an end: written where something ends, gone when they know or are given up."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from eunoe.store.tables.columns import key, metadata, organization

callbacks = Table(
    "callbacks",
    metadata,
    key(),  # what has ended: a run or a batch
    organization(),
    Column("url", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "next_at"),
)
