"""What was exchanged with the providers of models, for the steps that were traced."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text
from sqlalchemy.dialects.sqlite import BLOB

from eunoe.store.tables.columns import key, metadata, organization, to

_BYTES = LargeBinary().with_variant(BLOB(), "sqlite")

provider_traces = Table(
    "provider_traces",
    metadata,
    key(),
    organization(),
    to("step_id", "steps.id"),
    Column("run_id", Text),
    Column("agent_id", Text),
    Column("model", Text),
    Column("latency_ms", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),  # of both sides, before they were compressed
    Column("request_z", _BYTES, nullable=False),
    Column("response_z", _BYTES, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "step_id"),
    Index(None, "created_at"),
)
