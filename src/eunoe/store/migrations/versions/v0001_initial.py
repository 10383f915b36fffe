"""The first schema: every table and index, the search indexes, and who acts where nobody is named.

Frozen: a later change of `store/tables.py` is a revision of its own.
"""

from typing import Final

from alembic import op
from sqlalchemy import text

from eunoe.ids import DEFAULT_ORGANIZATION, DEFAULT_USER
from eunoe.store.db import Dialect
from eunoe.store.search_schema import statements

revision: Final = "0001"
down_revision: Final = None

_TABLES: Final = (
    """
    CREATE TABLE agents (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL,
        agent_type TEXT NOT NULL, system TEXT NOT NULL, model_json TEXT NOT NULL,
        embedding_json TEXT, compaction_json TEXT NOT NULL, description TEXT,
        metadata_json TEXT, timezone TEXT NOT NULL, tool_rules_json TEXT NOT NULL,
        message_buffer_autoclear INTEGER NOT NULL, enable_sleeptime INTEGER,
        response_format_json TEXT, hidden INTEGER, max_files_open BIGINT,
        per_file_view_window_char_limit BIGINT, project_id TEXT, template_id TEXT,
        base_template_id TEXT, deployment_id TEXT, entity_id TEXT, last_stop_reason TEXT,
        last_run_completion BIGINT, last_run_duration_ms BIGINT, created_by_id TEXT,
        last_updated_by_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_agents PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE archives (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
        embedding_json TEXT, metadata_json TEXT, created_by_id TEXT, last_updated_by_id TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_archives PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE blocks (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, label TEXT NOT NULL,
        value TEXT NOT NULL, char_limit BIGINT NOT NULL, description TEXT,
        read_only INTEGER NOT NULL, metadata_json TEXT NOT NULL, tags_json TEXT NOT NULL,
        hidden INTEGER, is_template INTEGER NOT NULL, template_name TEXT, template_id TEXT,
        base_template_id TEXT, deployment_id TEXT, entity_id TEXT,
        preserve_on_migration INTEGER, project_id TEXT, version BIGINT NOT NULL,
        created_by_id TEXT, last_updated_by_id TEXT, created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT pk_blocks PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE message_lists (
        id TEXT NOT NULL, version BIGINT NOT NULL,
        CONSTRAINT pk_message_lists PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE organizations (
        id TEXT NOT NULL, name TEXT NOT NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_organizations PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE tools (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL,
        tool_type TEXT NOT NULL, body_json TEXT NOT NULL, created_by_id TEXT,
        last_updated_by_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_tools PRIMARY KEY (id),
        CONSTRAINT uq_tools_organization_id_name UNIQUE (organization_id, name)
    )
    """,
    """
    CREATE TABLE agent_tags (
        agent_id TEXT NOT NULL, tag TEXT NOT NULL,
        CONSTRAINT pk_agent_tags PRIMARY KEY (agent_id, tag),
        CONSTRAINT fk_agent_tags_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE
            CASCADE
    )
    """,
    """
    CREATE TABLE agents_archives (
        agent_id TEXT NOT NULL, archive_id TEXT NOT NULL,
        CONSTRAINT pk_agents_archives PRIMARY KEY (agent_id, archive_id),
        CONSTRAINT uq_agents_archives_agent_id UNIQUE (agent_id),
        CONSTRAINT fk_agents_archives_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE,
        CONSTRAINT fk_agents_archives_archive_id FOREIGN KEY(archive_id) REFERENCES archives
            (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE agents_blocks (
        agent_id TEXT NOT NULL, block_id TEXT NOT NULL, label TEXT NOT NULL,
        position BIGINT NOT NULL,
        CONSTRAINT pk_agents_blocks PRIMARY KEY (agent_id, block_id),
        CONSTRAINT uq_agents_blocks_agent_id_label UNIQUE (agent_id, label),
        CONSTRAINT fk_agents_blocks_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE,
        CONSTRAINT fk_agents_blocks_block_id FOREIGN KEY(block_id) REFERENCES blocks (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE TABLE agents_tools (
        agent_id TEXT NOT NULL, tool_id TEXT NOT NULL, position BIGINT NOT NULL,
        CONSTRAINT pk_agents_tools PRIMARY KEY (agent_id, tool_id),
        CONSTRAINT fk_agents_tools_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE,
        CONSTRAINT fk_agents_tools_tool_id FOREIGN KEY(tool_id) REFERENCES tools (id) ON DELETE
            CASCADE
    )
    """,
    """
    CREATE TABLE block_versions (
        block_id TEXT NOT NULL, version BIGINT NOT NULL, label TEXT NOT NULL,
        value TEXT NOT NULL, char_limit BIGINT NOT NULL, description TEXT,
        read_only INTEGER NOT NULL, actor_id TEXT, agent_id TEXT, run_id TEXT, step_id TEXT,
        created_at BIGINT NOT NULL,
        CONSTRAINT pk_block_versions PRIMARY KEY (block_id, version),
        CONSTRAINT fk_block_versions_block_id FOREIGN KEY(block_id) REFERENCES blocks (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE TABLE conversations (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, agent_id TEXT NOT NULL, summary TEXT,
        model TEXT, model_settings_json TEXT, last_message_at BIGINT, created_by_id TEXT,
        last_updated_by_id TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_conversations PRIMARY KEY (id),
        CONSTRAINT fk_conversations_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE TABLE passages (
        seq {sequence} NOT NULL, id TEXT NOT NULL, organization_id TEXT NOT NULL,
        archive_id TEXT NOT NULL, text TEXT NOT NULL, tags_json TEXT NOT NULL,
        metadata_json TEXT NOT NULL, embedder TEXT, created_by_id TEXT, last_updated_by_id TEXT,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_passages PRIMARY KEY (seq),
        CONSTRAINT uq_passages_id UNIQUE (id),
        CONSTRAINT fk_passages_archive_id FOREIGN KEY(archive_id) REFERENCES archives (id) ON
            DELETE CASCADE
    )
    """,
    """
    CREATE TABLE users (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, name TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        CONSTRAINT pk_users PRIMARY KEY (id),
        CONSTRAINT fk_users_organization_id FOREIGN KEY(organization_id) REFERENCES
            organizations (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE messages (
        seq {sequence} NOT NULL, id TEXT NOT NULL, organization_id TEXT NOT NULL,
        agent_id TEXT NOT NULL, conversation_id TEXT, role TEXT NOT NULL,
        body_json TEXT NOT NULL, model TEXT, name TEXT, otid TEXT, sender_id TEXT,
        group_id TEXT, step_id TEXT, run_id TEXT, is_err INTEGER NOT NULL,
        created_at BIGINT NOT NULL,
        CONSTRAINT pk_messages PRIMARY KEY (seq),
        CONSTRAINT uq_messages_id UNIQUE (id),
        CONSTRAINT fk_messages_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE
            CASCADE,
        CONSTRAINT fk_messages_conversation_id FOREIGN KEY(conversation_id) REFERENCES
            conversations (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE passage_tags (
        passage_seq BIGINT NOT NULL, tag TEXT NOT NULL,
        CONSTRAINT pk_passage_tags PRIMARY KEY (passage_seq, tag),
        CONSTRAINT fk_passage_tags_passage_seq FOREIGN KEY(passage_seq) REFERENCES passages
            (seq) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE runs (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, agent_id TEXT NOT NULL,
        list_id TEXT NOT NULL, conversation_id TEXT, status TEXT NOT NULL, stop_reason TEXT,
        background INTEGER NOT NULL, options_json TEXT NOT NULL, metadata_json TEXT NOT NULL,
        usage_json TEXT NOT NULL, step_count BIGINT NOT NULL, context_tokens BIGINT,
        fence BIGINT NOT NULL, cancel_requested INTEGER NOT NULL, user_id TEXT,
        request_hash TEXT, otids_token TEXT, callback_sent_at BIGINT,
        callback_status_code BIGINT, callback_error TEXT, created_at BIGINT NOT NULL,
        completed_at BIGINT, ttft_ns BIGINT, total_duration_ns BIGINT,
        CONSTRAINT pk_runs PRIMARY KEY (id),
        CONSTRAINT fk_runs_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE
            CASCADE,
        CONSTRAINT fk_runs_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations
            (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE list_entries (
        list_id TEXT NOT NULL, message_seq BIGINT NOT NULL, position BIGINT,
        CONSTRAINT pk_list_entries PRIMARY KEY (list_id, message_seq),
        CONSTRAINT fk_list_entries_message_seq FOREIGN KEY(message_seq) REFERENCES messages
            (seq) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE run_events (
        run_id TEXT NOT NULL, seq BIGINT NOT NULL, event_json TEXT NOT NULL,
        CONSTRAINT pk_run_events PRIMARY KEY (run_id, seq),
        CONSTRAINT fk_run_events_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE
            CASCADE
    ) {without_rowid}
    """,
    """
    CREATE TABLE steps (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, run_id TEXT, agent_id TEXT NOT NULL,
        status TEXT NOT NULL, stop_reason TEXT, model TEXT, feedback TEXT, trace_id TEXT,
        tid TEXT, body_json TEXT NOT NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_steps PRIMARY KEY (id),
        CONSTRAINT fk_steps_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE SET NULL
    )
    """,
    """
    CREATE TABLE tool_calls (
        run_id TEXT NOT NULL, call_id TEXT NOT NULL, name TEXT NOT NULL, result_json TEXT,
        started_at BIGINT NOT NULL, ended_at BIGINT,
        CONSTRAINT pk_tool_calls PRIMARY KEY (run_id, call_id),
        CONSTRAINT fk_tool_calls_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE
            CASCADE
    )
    """,
    """
    CREATE INDEX ix_agents_organization_id_created_at_id ON agents (organization_id,
    created_at, id)
    """,
    """
    CREATE INDEX ix_agents_organization_id_updated_at_id ON agents (organization_id,
    updated_at, id)
    """,
    """
    CREATE INDEX ix_archives_organization_id_created_at_id ON archives (organization_id,
    created_at, id)
    """,
    """
    CREATE INDEX ix_blocks_organization_id_created_at_id ON blocks (organization_id,
    created_at, id)
    """,
    "CREATE INDEX ix_blocks_organization_id_label ON blocks (organization_id, label)",
    """
    CREATE INDEX ix_tools_organization_id_created_at_id ON tools (organization_id,
    created_at, id)
    """,
    "CREATE INDEX ix_agent_tags_tag_agent_id ON agent_tags (tag, agent_id)",
    "CREATE INDEX ix_agents_archives_archive_id ON agents_archives (archive_id)",
    "CREATE INDEX ix_agents_blocks_block_id ON agents_blocks (block_id)",
    "CREATE INDEX ix_agents_tools_tool_id ON agents_tools (tool_id)",
    "CREATE INDEX ix_conversations_agent_id ON conversations (agent_id)",
    """
    CREATE INDEX ix_passages_archive_id_created_at_id ON passages (archive_id, created_at,
    id)
    """,
    "CREATE INDEX ix_messages_agent_id_seq ON messages (agent_id, seq)",
    "CREATE INDEX ix_messages_conversation_id_seq ON messages (conversation_id, seq)",
    "CREATE INDEX ix_messages_organization_id_seq ON messages (organization_id, seq)",
    "CREATE INDEX ix_messages_run_id_seq ON messages (run_id, seq)",
    "CREATE INDEX ix_messages_step_id ON messages (step_id)",
    "CREATE INDEX ix_runs_agent_id_created_at_id ON runs (agent_id, created_at, id)",
    "CREATE INDEX ix_runs_completed_at ON runs (completed_at)",
    """
    CREATE INDEX ix_runs_organization_id_created_at_id ON runs (organization_id,
    created_at, id)
    """,
    """
    CREATE INDEX ix_runs_request_hash ON runs (request_hash, created_at) WHERE
    request_hash IS NOT NULL
    """,
    """
    CREATE UNIQUE INDEX uq_runs_active_list ON runs (list_id) WHERE status IN ('created',
    'running')
    """,
    """
    CREATE UNIQUE INDEX uq_runs_otids_token ON runs (otids_token) WHERE otids_token IS NOT
    NULL
    """,
    "CREATE INDEX ix_list_entries_message_seq ON list_entries (message_seq)",
    """
    CREATE UNIQUE INDEX ix_list_entries_window ON list_entries (list_id, position) WHERE
    position IS NOT NULL
    """,
    "CREATE INDEX ix_steps_agent_id_created_at_id ON steps (agent_id, created_at, id)",
    """
    CREATE INDEX ix_steps_organization_id_created_at_id ON steps (organization_id,
    created_at, id)
    """,
    "CREATE INDEX ix_steps_run_id_created_at_id ON steps (run_id, created_at, id)",
)

_ROWS: Final = (
    f"""
    INSERT INTO organizations (id, name, created_at)
    VALUES ('{DEFAULT_ORGANIZATION}', 'Default', 0)
    """,
    f"""
    INSERT INTO users (id, organization_id, name, created_at)
    VALUES ('{DEFAULT_USER}', '{DEFAULT_ORGANIZATION}', 'Default', 0)
    """,
)


def upgrade() -> None:
    """Make everything, in the words of the engine at hand."""
    dialect: Dialect = "sqlite" if op.get_context().dialect.name == "sqlite" else "postgresql"
    words = {
        "sequence": "INTEGER" if dialect == "sqlite" else "BIGSERIAL",
        "without_rowid": "WITHOUT ROWID" if dialect == "sqlite" else "",
    }
    made = [statement.format_map(words) for statement in _TABLES]
    for statement in (*made, *statements(dialect), *_ROWS):
        # A colon is no placeholder here.
        op.execute(text(statement.replace(":", "\\:")))
