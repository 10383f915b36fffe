"""A group: agents that belong together, and the way in which they take turns (agent 8)."""

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from eunoe.domain.messages import Json
from eunoe.domain.origins import Stored
from eunoe.errors import Invalid

ManagerType: TypeAlias = Literal[
    "round_robin", "supervisor", "dynamic", "sleeptime", "voice_sleeptime", "swarm"
]
SLEEPTIME_FREQUENCY: Final = 5
VOICE_BUFFER: Final = (30, 15)
"""How many messages a voice agent's window has at most, and how many stay when it has more."""
_LEAST_BUFFER: Final = 4
TERMINATION_TOKEN: Final = "DONE!"  # noqa: S105 -- a word that agents say, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Stored):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDraft:
    """A group that is asked for; `config` holds what its kind is set by, as fields of `Group`."""

    manager_type: ManagerType
    agent_ids: tuple[str, ...]
    description: str
    config: Json
    shared_block_ids: tuple[str, ...] = ()
    project_id: str | None = None
    hidden: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPatch:
    """`values` are the fields of `Group` that change; `manager_type` is null where nobody says."""

    manager_type: ManagerType | None = None
    values: Json


def check_buffers(most: int | None, least: int | None) -> None:
    """Raise `Invalid` unless both lengths or neither are given, and fit each other (api 21.10)."""
    if (most is None) != (least is None):
        raise Invalid("Give both max_message_buffer_length and min_message_buffer_length, or none.")
    if most is not None and least is not None and not most > least > _LEAST_BUFFER:
        raise Invalid(
            f"Message buffers are longer than {_LEAST_BUFFER}, the maximum above the minimum."
        )


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
