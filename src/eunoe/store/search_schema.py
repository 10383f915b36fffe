"""The indexes behind `search`, in the SQL of each engine; the first migration runs it.

Triggers and foreign keys take an entry away with its row, so that no caller can
forget one and a cascade reaches the index too. Later revisions have taken away what
`message_texts` repeats of `messages`: it holds words alone, on PostgreSQL, like `passage_texts`.

SQLite: FTS5 keeps no copy of the text (`contentless_delete`), and its `scope`
column holds one word for the archive or agent, so that a search reads that
partition's part of the word lists and not everybody's. A vector is scanned as a
`code`, one signed byte a dimension, in a table sorted by partition: 10,000 codes of
384 are 4 MB in a row, the floats 16 MB all over the file. The floats of passages stay
in `passage_vectors` to be shown.

PostgreSQL: `words` is written by the insert. Vectors have no fixed dimension, so that any
embedder fits; `MAIN` keeps them beside their row instead of out of line.
"""

from typing import Final, assert_never

from eunoe.store.db import Dialect

_TOKENIZE: Final = "porter unicode61 remove_diacritics 2"

_SQLITE: Final = (
    """
    CREATE TABLE message_texts (
        seq INTEGER PRIMARY KEY REFERENCES messages (seq) ON DELETE CASCADE,
        organization_id TEXT NOT NULL,
        agent_id TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        embedder TEXT
    )
    """,
    "CREATE INDEX ix_message_texts_agent_id ON message_texts (agent_id, conversation_id, seq)",
    "CREATE INDEX ix_message_texts_organization_id ON message_texts (organization_id, seq)",
    """
    CREATE INDEX ix_message_texts_pending ON message_texts (agent_id, seq)
    WHERE embedder IS NULL
    """,
    f"""
    CREATE VIRTUAL TABLE message_fts USING fts5 (
        scope, text, speaker, day,
        content='', contentless_delete=1, tokenize='{_TOKENIZE}'
    )
    """,
    """
    CREATE TABLE message_vectors (
        agent_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        embedder TEXT NOT NULL,
        code BLOB NOT NULL,
        PRIMARY KEY (agent_id, seq)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER message_texts_deleted AFTER DELETE ON message_texts BEGIN
        DELETE FROM message_fts WHERE rowid = old.seq;
        DELETE FROM message_vectors WHERE agent_id = old.agent_id AND seq = old.seq;
    END
    """,
    f"""
    CREATE VIRTUAL TABLE passage_fts USING fts5 (
        scope, text, tags,
        content='', contentless_delete=1, tokenize='{_TOKENIZE}'
    )
    """,
    """
    CREATE TABLE passage_vectors (
        seq INTEGER PRIMARY KEY REFERENCES passages (seq) ON DELETE CASCADE,
        vector BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE passage_codes (
        archive_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        embedder TEXT NOT NULL,
        code BLOB NOT NULL,
        PRIMARY KEY (archive_id, seq)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER passages_deleted AFTER DELETE ON passages BEGIN
        DELETE FROM passage_fts WHERE rowid = old.seq;
        DELETE FROM passage_codes WHERE archive_id = old.archive_id AND seq = old.seq;
    END
    """,
)

_POSTGRESQL: Final = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    """
    CREATE TABLE message_texts (
        seq BIGINT PRIMARY KEY REFERENCES messages (seq) ON DELETE CASCADE,
        organization_id TEXT NOT NULL,
        agent_id TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        embedder TEXT,
        words TSVECTOR NOT NULL
    )
    """,
    "CREATE INDEX ix_message_texts_agent_id ON message_texts (agent_id, conversation_id, seq)",
    "CREATE INDEX ix_message_texts_organization_id ON message_texts (organization_id, seq)",
    """
    CREATE INDEX ix_message_texts_pending ON message_texts (agent_id, seq)
    WHERE embedder IS NULL
    """,
    "CREATE INDEX ix_message_texts_words ON message_texts USING gin (words)",
    """
    CREATE TABLE message_vectors (
        seq BIGINT PRIMARY KEY REFERENCES message_texts (seq) ON DELETE CASCADE,
        agent_id TEXT NOT NULL,
        embedder TEXT NOT NULL,
        vector VECTOR NOT NULL
    )
    """,
    "ALTER TABLE message_vectors ALTER COLUMN vector SET STORAGE MAIN",
    "CREATE INDEX ix_message_vectors_agent_id ON message_vectors (agent_id, embedder)",
    """
    CREATE TABLE passage_texts (
        seq BIGINT PRIMARY KEY REFERENCES passages (seq) ON DELETE CASCADE,
        archive_id TEXT NOT NULL,
        words TSVECTOR NOT NULL
    )
    """,
    "CREATE INDEX ix_passage_texts_archive_id ON passage_texts (archive_id)",
    "CREATE INDEX ix_passage_texts_words ON passage_texts USING gin (words)",
    """
    CREATE TABLE passage_vectors (
        seq BIGINT PRIMARY KEY REFERENCES passages (seq) ON DELETE CASCADE,
        archive_id TEXT NOT NULL,
        embedder TEXT NOT NULL,
        vector VECTOR NOT NULL
    )
    """,
    "ALTER TABLE passage_vectors ALTER COLUMN vector SET STORAGE MAIN",
    "CREATE INDEX ix_passage_vectors_archive_id ON passage_vectors (archive_id, embedder)",
)


def statements(dialect: Dialect) -> list[str]:
    """Return what makes the search indexes, in order; `messages` and `passages` exist by then."""
    match dialect:
        case "sqlite":
            return list(_SQLITE)
        case "postgresql":
            return list(_POSTGRESQL)
        case _:
            assert_never(dialect)
