"""A group: agents that belong together, and the way in which they take turns (agent 8)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args

ManagerType: TypeAlias = Literal[
    "round_robin", "supervisor", "dynamic", "sleeptime", "voice_sleeptime", "swarm"
]
MANAGER_TYPES: Final[tuple[ManagerType, ...]] = get_args(ManagerType)
SLEEPTIME_FREQUENCY: Final = 5
TERMINATION_TOKEN: Final = "DONE!"  # noqa: S105 -- a word that agents say, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`agent_ids` are the members in the order given, `manager_agent_id` is none of them.

    A sleeptime group counts its manager's turns: `sleeptime_agent_frequency` of them make
    one of its members', and `last_processed_message_id` is where that one got to (G14, G15).
    """

    id: str
    manager_type: ManagerType
    agent_ids: tuple[str, ...]
    description: str
    manager_agent_id: str | None = None
    shared_block_ids: tuple[str, ...] = ()
    termination_token: str | None = None
    max_turns: int | None = None
    sleeptime_agent_frequency: int | None = None
    turns_counter: int | None = None
    last_processed_message_id: str | None = None
    max_message_buffer_length: int | None = None
    min_message_buffer_length: int | None = None
    hidden: bool | None = None
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime


def turned(group: Group) -> tuple[Group, bool]:
    """Return the group after one more turn of its manager, and whether its members' is due (G14).

    The first turn is one, and then every `sleeptime_agent_frequency`-th; without one, each is.
    """
    frequency = group.sleeptime_agent_frequency
    if frequency is None:
        return group, True
    before = -1 if group.turns_counter is None else group.turns_counter
    counter = (before + 1) % max(frequency, 1)
    return replace(group, turns_counter=counter), counter == 0
