"""Groups of agents, the runs that follow up on a run, and what was said in a group."""

from typing import Final

from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"

_STATEMENTS: Final = (
    """
    CREATE TABLE agent_groups (
        id TEXT NOT NULL, organization_id TEXT NOT NULL, manager_type TEXT NOT NULL,
        description TEXT NOT NULL, manager_agent_id TEXT, termination_token TEXT, max_turns
        BIGINT, sleeptime_agent_frequency BIGINT, turns_counter BIGINT,
        last_processed_message_id TEXT, max_message_buffer_length BIGINT,
        min_message_buffer_length BIGINT, hidden INTEGER, project_id TEXT, template_id TEXT,
        base_template_id TEXT, deployment_id TEXT, created_by_id TEXT, last_updated_by_id
        TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        CONSTRAINT pk_agent_groups PRIMARY KEY (id),
        CONSTRAINT fk_agent_groups_manager_agent_id FOREIGN KEY(manager_agent_id) REFERENCES
            agents (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_agent_groups_manager_agent_id ON agent_groups (manager_agent_id)",
    """
    CREATE INDEX ix_agent_groups_organization_id_created_at_id ON agent_groups
    (organization_id, created_at, id)
    """,
    """
    CREATE TABLE group_members (
        group_id TEXT NOT NULL, agent_id TEXT NOT NULL, position BIGINT NOT NULL,
        CONSTRAINT pk_group_members PRIMARY KEY (group_id, agent_id),
        CONSTRAINT fk_group_members_group_id FOREIGN KEY(group_id) REFERENCES agent_groups
            (id) ON DELETE CASCADE,
        CONSTRAINT fk_group_members_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_group_members_agent_id ON group_members (agent_id)",
    """
    CREATE TABLE group_blocks (
        group_id TEXT NOT NULL, block_id TEXT NOT NULL, position BIGINT NOT NULL,
        CONSTRAINT pk_group_blocks PRIMARY KEY (group_id, block_id),
        CONSTRAINT fk_group_blocks_group_id FOREIGN KEY(group_id) REFERENCES agent_groups
            (id) ON DELETE CASCADE,
        CONSTRAINT fk_group_blocks_block_id FOREIGN KEY(block_id) REFERENCES blocks (id) ON
            DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_group_blocks_block_id ON group_blocks (block_id)",
    """
    CREATE TABLE follow_ups (
        run_id TEXT NOT NULL, organization_id TEXT NOT NULL, user_id TEXT NOT NULL,
        cause_run_id TEXT NOT NULL, group_id TEXT NOT NULL, agent_id TEXT NOT NULL,
        after_message_id TEXT, upto_message_id TEXT NOT NULL,
        options_json TEXT NOT NULL, created_at BIGINT NOT NULL,
        CONSTRAINT pk_follow_ups PRIMARY KEY (run_id),
        CONSTRAINT uq_follow_ups_cause_run_id_agent_id UNIQUE (cause_run_id, agent_id),
        CONSTRAINT fk_follow_ups_group_id FOREIGN KEY(group_id) REFERENCES agent_groups (id)
            ON DELETE CASCADE,
        CONSTRAINT fk_follow_ups_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON
            DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_follow_ups_agent_id ON follow_ups (agent_id)",
    "CREATE INDEX ix_follow_ups_group_id ON follow_ups (group_id)",
    """
    CREATE INDEX ix_messages_group_id_seq ON messages (group_id, seq) WHERE group_id IS NOT
    NULL
    """,
)


def upgrade() -> None:
    """Say it in SQL, for both engines."""
    for statement in _STATEMENTS:
        op.execute(statement)
