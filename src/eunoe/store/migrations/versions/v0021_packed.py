"""Messages and steps in fewer bytes: packed bodies, no copy of what a search filters by."""

from typing import Final

from alembic import op

revision: Final = "0021"
down_revision: Final = "0020"

_SQLITE: Final = (
    "ALTER TABLE messages ADD COLUMN body BLOB NOT NULL DEFAULT x''",
    "UPDATE messages SET body = CAST(body_json AS BLOB)",
    "ALTER TABLE steps ADD COLUMN body BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE steps ADD COLUMN tags_json TEXT",
    "UPDATE steps SET body = CAST(body_json AS BLOB), tags_json = body_json -> '$.tags'",
)
_POSTGRESQL: Final = (
    "ALTER TABLE messages ADD COLUMN body BYTEA NOT NULL DEFAULT ''",
    "UPDATE messages SET body = convert_to(body_json, 'UTF8')",
    "ALTER TABLE steps ADD COLUMN body BYTEA NOT NULL DEFAULT ''",
    "ALTER TABLE steps ADD COLUMN tags_json TEXT",
    """
    UPDATE steps SET body = convert_to(body_json, 'UTF8'),
        tags_json = (body_json::jsonb -> 'tags')::text
    """,
)
# A search filters by the message itself, as by the passage.
_SEARCHED: Final = (
    "ALTER TABLE messages DROP COLUMN body_json",
    "ALTER TABLE steps DROP COLUMN body_json",
    "ALTER TABLE messages ADD COLUMN findable INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE messages ADD COLUMN embedder TEXT",
    """
    UPDATE messages SET findable = 1, embedder =
        (SELECT embedder FROM message_texts WHERE message_texts.seq = messages.seq)
    WHERE seq IN (SELECT seq FROM message_texts)
    """,
    "DROP INDEX ix_message_texts_agent_id",
    "DROP INDEX ix_message_texts_pending",
    """
    CREATE INDEX ix_messages_pending ON messages (agent_id, seq)
    WHERE findable = 1 AND embedder IS NULL
    """,
)
_SQLITE_TEXTS: Final = (
    "DROP TRIGGER message_texts_deleted",
    "DROP TABLE message_texts",
    """
    CREATE TRIGGER messages_deleted AFTER DELETE ON messages WHEN old.findable = 1 BEGIN
        DELETE FROM message_fts WHERE rowid = old.seq;
        DELETE FROM message_vectors WHERE agent_id = old.agent_id AND seq = old.seq;
    END
    """,
)
_POSTGRESQL_TEXTS: Final = (
    """
    ALTER TABLE message_texts DROP COLUMN organization_id, DROP COLUMN conversation_id,
    DROP COLUMN role, DROP COLUMN text, DROP COLUMN created_at, DROP COLUMN embedder
    """,
    "CREATE INDEX ix_message_texts_agent_id ON message_texts (agent_id)",
)
# Of what is made in one microsecond the few are sorted when they are read.
_SLIMMER: Final = {
    "runs": ("agent_id", "organization_id"),
    "steps": ("run_id", "agent_id", "organization_id"),
}


def upgrade() -> None:
    """Say it in SQL. What is stored is packed from here on, and read either way."""
    sqlite = op.get_context().dialect.name == "sqlite"
    for statement in (
        *(_SQLITE if sqlite else _POSTGRESQL),
        *_SEARCHED,
        *(_SQLITE_TEXTS if sqlite else _POSTGRESQL_TEXTS),
    ):
        op.execute(statement)
    for table, owners in _SLIMMER.items():
        for owner in owners:
            op.execute(f"DROP INDEX ix_{table}_{owner}_created_at_id")
            op.execute(
                f"CREATE INDEX ix_{table}_{owner}_created_at ON {table} ({owner}, created_at)"
            )
