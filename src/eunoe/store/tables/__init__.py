"""The schema, as SQLAlchemy metadata for the migrations; queries are written by hand.

Types are those of `store/db.py`: text (JSON in `*_json`), big integers (times in
microseconds UTC end in `_at`, booleans are 0 or 1), reals. What one engine alone can do
(full-text and vector indexes) is made by the migrations beside this.
"""

from eunoe.store.tables import (
    agents,
    archives,
    audit,
    batches,
    budgets,
    callbacks,
    deadlines,
    folders,
    groups,
    identities,
    kept_answers,
    mcp_servers,
    messages,
    provider_traces,
    runs,
    sandboxes,
    schedules,
    secrets,
    templates,
    waiting,
)
from eunoe.store.tables.columns import metadata

__all__ = (
    "agents", "archives", "audit", "batches", "budgets", "callbacks", "deadlines", "folders",
    "groups", "identities", "kept_answers", "mcp_servers", "messages", "metadata",
    "provider_traces", "runs", "sandboxes", "schedules", "secrets", "templates", "waiting",
)  # fmt: skip
