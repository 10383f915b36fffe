"""Groups on the wire (api 21.10)."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from eunoe.domain import groups
from eunoe.domain.groups import ManagerType


class Group(TypedDict):
    id: str
    manager_type: ManagerType
    agent_ids: Sequence[str]
    description: str
    project_id: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    shared_block_ids: Sequence[str]
    manager_agent_id: str | None
    termination_token: str | None
    max_turns: int | None
    sleeptime_agent_frequency: int | None
    turns_counter: int | None
    last_processed_message_id: str | None
    max_message_buffer_length: int | None
    min_message_buffer_length: int | None
    hidden: bool | None


def group(one: groups.Group) -> Group:
    """Return a group, every field present."""
    return {
        "id": one.id,
        "manager_type": one.manager_type,
        "agent_ids": one.agent_ids,
        "description": one.description,
        "project_id": one.project_id,
        "template_id": one.template_id,
        "base_template_id": one.base_template_id,
        "deployment_id": one.deployment_id,
        "shared_block_ids": one.shared_block_ids,
        "manager_agent_id": one.manager_agent_id,
        "termination_token": one.termination_token,
        "max_turns": one.max_turns,
        "sleeptime_agent_frequency": one.sleeptime_agent_frequency,
        "turns_counter": one.turns_counter,
        "last_processed_message_id": one.last_processed_message_id,
        "max_message_buffer_length": one.max_message_buffer_length,
        "min_message_buffer_length": one.min_message_buffer_length,
        "hidden": one.hidden,
    }
