"""Runs, what they say, their steps, and what their tools have come to."""

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
)

from eunoe.store.tables.columns import key, metadata, organization, partial, to

runs = Table(
    "runs",
    metadata,
    key(),
    organization(),
    to("agent_id", "agents.id"),
    Column("list_id", Text, nullable=False),
    to("conversation_id", "conversations.id", nullable=True),
    Column("status", Text, nullable=False),
    Column("stop_reason", Text),
    Column("background", Integer, nullable=False),
    Column("options_json", Text, nullable=False),  # domain.runs.RunOptions
    Column("metadata_json", Text, nullable=False),
    Column("usage_json", Text, nullable=False),  # domain.runs.Usage
    Column("step_count", BigInteger, nullable=False),
    Column("context_tokens", BigInteger),
    # Grows with each claim; each commit checks it, so a past owner writes nothing (G-13).
    Column("fence", BigInteger, nullable=False),
    Column("cancel_requested", Integer, nullable=False),
    Column("user_id", Text),
    Column("key_id", Text),  # of the caller, for whom it is counted what steps cost
    Column("request_hash", Text),  # actor, path and body: an SDK's own retry finds its run (G-6)
    Column("otids_token", Text),  # list and ordered client otids: a repeat finds its run (G-5)
    Column("callback_sent_at", BigInteger),
    Column("callback_status_code", BigInteger),
    Column("callback_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
    Column("ttft_ns", BigInteger),
    Column("total_duration_ns", BigInteger),
    # The claim of a message list: a second active run on it is refused by the database (G-12).
    partial("status IN ('created', 'running')", "uq_runs_active_list", "list_id", unique=True),
    partial("otids_token IS NOT NULL", "uq_runs_otids_token", "otids_token", unique=True),
    partial("request_hash IS NOT NULL", "ix_runs_request_hash", "request_hash", "created_at"),
    Index(None, "agent_id", "created_at"),
    Index(None, "organization_id", "created_at"),
    Index(None, "completed_at"),
)

run_events = Table(
    "run_events",
    metadata,
    to("run_id", "runs.id"),
    Column("seq", BigInteger, nullable=False),
    Column("event_json", Text, nullable=False),  # domain.events.RunEvent
    PrimaryKeyConstraint("run_id", "seq"),
    sqlite_with_rowid=False,
)

steps = Table(
    "steps",
    metadata,
    key(),
    organization(),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="SET NULL")),
    Column("agent_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("stop_reason", Text),
    Column("model", Text),
    Column("feedback", Text),
    Column("trace_id", Text),
    Column("tid", Text),
    Column("body", LargeBinary, nullable=False),  # domain.runs.Step, the other fields, packed
    Column("tags_json", Text),  # a person's, of whom the run knows nothing; null for none
    Column("cost_nanos", BigInteger),  # also in the body, which no sum reads
    Column("key_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "run_id", "created_at"),
    Index(None, "organization_id", "created_at"),
    Index(None, "agent_id", "created_at"),
)

# What effectful tool calls have come to, written before one starts and after it ends (G-17).
tool_calls = Table(
    "tool_calls",
    metadata,
    to("run_id", "runs.id"),
    Column("call_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("result_json", Text),  # domain.tools.ToolResult; null while started and not ended
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    PrimaryKeyConstraint("run_id", "call_id"),
)

# The otids that a client chose for a run's input: no other run of the list may use one (G-5).
# A request without any has no row here, and costs nothing.
run_otids = Table(
    "run_otids",
    metadata,
    Column("list_id", Text, nullable=False),
    Column("otid", Text, nullable=False),
    to("run_id", "runs.id"),
    PrimaryKeyConstraint("list_id", "otid"),
    Index(None, "run_id"),
    sqlite_with_rowid=False,
)
