"""How a group answers: who speaks when, and what the others are told of it (agent 8.2)."""

import re
from collections.abc import Mapping
from typing import Final, assert_never

from eunoe.domain.groups import Group
from eunoe.errors import Invalid

Turn = tuple[str, int | None]
"""Who is to speak, and how many turns of members there were then; null where one answers alone."""

_EDGES: Final = " \t\n.,:;!?\"'`*_()[]<>"


def first_turn(group: Group) -> Turn:
    """Return who answers a message to the group first; raise `Invalid` where there is nobody."""
    manager = group.manager_agent_id
    match group.manager_type:
        case "round_robin" if group.agent_ids:
            return group.agent_ids[0], 1
        case "dynamic" if group.agent_ids and manager is not None:
            return manager, 0
        case "supervisor" | "sleeptime" | "voice_sleeptime" if manager is not None:
            return manager, None
        case _:
            raise Invalid("Nobody in this group can answer; give it members, or a manager.")


def next_turn(
    group: Group, *, turn: int, spoke: str, said: str, names: Mapping[str, str], before: str | None
) -> Turn | None:
    """Return whose turn follows that of the agent `spoke`, null where the round is over (G4, G7).

    `names` are the members' by their id, `before` is the member who spoke last.
    """
    most = group.max_turns or len(group.agent_ids)
    members = [one for one in group.agent_ids if one in names]
    match group.manager_type:
        case _ if not members:
            return None
        case "round_robin":
            return (members[turn % len(members)], turn + 1) if turn < most else None
        case "dynamic":
            if group.termination_token and group.termination_token in said:
                return None
            if spoke != group.manager_agent_id:
                return (group.manager_agent_id or "", turn) if turn < most else None
            return named(said, options(group, names=names, before=before)), turn + 1
        case "supervisor" | "sleeptime" | "voice_sleeptime" | "swarm":
            return None
        case _:
            assert_never(group.manager_type)


def options(group: Group, *, names: Mapping[str, str], before: str | None) -> dict[str, str]:
    """Return who may be named next: every member but the one who has just spoken (G7)."""
    members = {one: names[one] for one in group.agent_ids if one in names}
    others = {one: name for one, name in members.items() if one != before}
    return others or members


def named(reply: str, choice: Mapping[str, str]) -> str:
    """Return the id of the agent whose name `reply` is, or has as whole words (FIX-64).

    Of several the one named first counts, and a longer name before one that it contains. A
    reply without any is taken for the first of `choice`.
    """
    bare = reply.strip(_EDGES).casefold()
    for agent_id, name in choice.items():
        if name.casefold() == bare:
            return agent_id
    found = [
        (match.start(), -len(name), agent_id)
        for agent_id, name in choice.items()
        if (match := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", reply, re.IGNORECASE))
    ]
    return min(found)[2] if found else next(iter(choice))


def question(group: Group, choice: Mapping[str, str]) -> str:
    """Return what the manager of a dynamic group is asked (G7)."""
    end = f", or {group.termination_token} if nobody has to" if group.termination_token else ""
    return (
        "[You decide who speaks next in your group, and nobody reads your answer. Answer with "
        f"one name and nothing else: {', '.join(choice.values())}{end}.]"
    )
