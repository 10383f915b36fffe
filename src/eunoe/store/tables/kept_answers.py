"""The first answers to requests that came with an idempotency key."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from eunoe.store.tables.columns import metadata

kept_answers = Table(
    "kept_answers",
    metadata,
    Column("id", Text, primary_key=True),  # of who asked, the method, the path and the key
    Column("body_hash", Text, nullable=False),
    Column("owner", Text, nullable=False),  # which of the requests is being answered, or was
    Column(
        "held_until", BigInteger, nullable=False
    ),  # the owner says again and again that it lives
    Column("status", BigInteger),  # null while the first is being answered
    Column("run_id", Text),  # the answer was a stream of this run
    Column("content_type", Text),
    Column("body_sealed", Text),  # null where the answer was too large to be kept
    Column("created_at", BigInteger, nullable=False),
    Index(None, "created_at"),
)
