"""Messages that wait for their list, and the first answers to requests that had a key."""

from typing import Final

from alembic import op

revision: Final = "0016"
down_revision: Final = "0015"

_STATEMENTS: Final = (
    """
    CREATE TABLE waiting_runs (
        run_id TEXT NOT NULL, organization_id TEXT NOT NULL, user_id TEXT NOT NULL, list_id TEXT
        NOT NULL, urgent INTEGER NOT NULL, created_at BIGINT NOT NULL, said_json TEXT NOT NULL,
        CONSTRAINT pk_waiting_runs PRIMARY KEY (run_id),
        CONSTRAINT fk_waiting_runs_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE
            CASCADE
    )
    """,
    """
    CREATE INDEX ix_waiting_runs_list_id_urgent_created_at ON waiting_runs (list_id, urgent,
    created_at)
    """,
    """
    CREATE TABLE kept_answers (
        id TEXT NOT NULL, body_hash TEXT NOT NULL, owner TEXT NOT NULL, held_until BIGINT NOT
        NULL, status BIGINT, run_id TEXT, content_type TEXT, body_sealed TEXT, created_at BIGINT NOT
        NULL,
        CONSTRAINT pk_kept_answers PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_kept_answers_created_at ON kept_answers (created_at)",
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
