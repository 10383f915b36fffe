"""The schema, as SQLAlchemy metadata for the migrations; queries are written by hand.

Types are those of `store/db.py`: text (JSON in `*_json`), big integers (times in
microseconds UTC end in `_at`, booleans are 0 or 1), reals. What one engine alone can do
(full-text and vector indexes) is made by the migrations beside this.
"""

from eunoe.store.tables import (
    agents,
    archives,
    groups,
    identities,
    mcp_servers,
    messages,
    runs,
    sandboxes,
    secrets,
    batches,
    callbacks,
    groups,
    messages,
    runs,
    schedules,
    templates,
)
from eunoe.store.tables.columns import metadata

__all__ = (
    "agents",
    "archives",
    "groups",
    "identities",
    "mcp_servers",
    "messages",
    "metadata",
    "runs",
    "sandboxes",
    "secrets",
)
from eunoe.store.tables import schedules

__all__ = ("agents", "archives", "groups", "messages", "metadata", "runs", "schedules")
from eunoe.store.tables import callbacks

__all__ = ("agents", "archives", "callbacks", "groups", "messages", "metadata", "runs", "schedules")
    "batches",
    "callbacks",
    "groups",
    "messages",
    "metadata",
    "runs",
    "schedules",
    "templates",
)
from eunoe.store.tables import agents, archives, folders, groups, messages, runs
from eunoe.store.tables.columns import metadata

__all__ = ("agents", "archives", "folders", "groups", "messages", "metadata", "runs")
