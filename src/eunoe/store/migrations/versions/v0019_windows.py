"""Windows that name their messages, and lists that are kept in the order of their messages."""

from typing import Final

from alembic import op

revision: Final = "0019"
down_revision: Final = "0018"

_NAMED: Final = """
    UPDATE list_entries
    SET message_id = (SELECT id FROM messages WHERE messages.seq = list_entries.message_seq)
    WHERE position IS NOT NULL
"""
# SQLite then holds a list's entries together, and once, where it had them in a heap and an index.
_SQLITE: Final = (
    "ALTER TABLE list_entries RENAME TO list_entries_before",
    "DROP INDEX ix_list_entries_window",
    "DROP INDEX ix_list_entries_message_seq",
    """
    CREATE TABLE list_entries (
        list_id TEXT NOT NULL, message_seq BIGINT NOT NULL, position BIGINT, message_id TEXT,
        CONSTRAINT pk_list_entries PRIMARY KEY (list_id, message_seq),
        CONSTRAINT fk_list_entries_message_seq FOREIGN KEY(message_seq) REFERENCES messages
            (seq) ON DELETE CASCADE
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO list_entries (list_id, message_seq, position)
    SELECT list_id, message_seq, position FROM list_entries_before ORDER BY list_id, message_seq
    """,
    "DROP TABLE list_entries_before",
    _NAMED,
    "CREATE INDEX ix_list_entries_message_seq ON list_entries (message_seq)",
    """
    CREATE UNIQUE INDEX ix_list_entries_window ON list_entries (list_id, position) WHERE
    position IS NOT NULL
    """,
)
_POSTGRESQL: Final = ("ALTER TABLE list_entries ADD COLUMN message_id TEXT", _NAMED)


def upgrade() -> None:
    """Say it in SQL. No search looks for an organization's texts alone."""
    sqlite = op.get_context().dialect.name == "sqlite"
    for statement in _SQLITE if sqlite else _POSTGRESQL:
        op.execute(statement)
    op.execute("DROP INDEX ix_message_texts_organization_id")
