"""Conversations get what their API shows, an order of their own, and blocks that only they see."""

from typing import Final

from alembic import op
from sqlalchemy import text

revision: Final = "0003"
down_revision: Final = "0001"

_STATEMENTS: Final = (
    "ALTER TABLE conversations ADD COLUMN description TEXT",
    "ALTER TABLE conversations ADD COLUMN context_window_limit BIGINT",
    "ALTER TABLE conversations ADD COLUMN hidden INTEGER",
    "ALTER TABLE conversations ADD COLUMN archived_at BIGINT",
    "ALTER TABLE conversations ADD COLUMN last_run_completion BIGINT",
    "ALTER TABLE conversations ADD COLUMN deleted_at BIGINT",
    """
    CREATE INDEX ix_conversations_organization_id_created_at_id ON conversations
    (organization_id, created_at, id)
    """,
    """
    CREATE TABLE conversations_blocks (
        conversation_id TEXT NOT NULL, block_id TEXT NOT NULL, label TEXT NOT NULL,
        position BIGINT NOT NULL,
        CONSTRAINT pk_conversations_blocks PRIMARY KEY (conversation_id, block_id),
        CONSTRAINT uq_conversations_blocks_conversation_id_label UNIQUE (conversation_id, label),
        CONSTRAINT fk_conversations_blocks_conversation_id FOREIGN KEY(conversation_id)
            REFERENCES conversations (id) ON DELETE CASCADE,
        CONSTRAINT fk_conversations_blocks_block_id FOREIGN KEY(block_id) REFERENCES blocks (id)
            ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_conversations_blocks_block_id ON conversations_blocks (block_id)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(text(statement))
