"""Groups of agents."""

from eunoe.errors.kinds import Conflict, Invalid


class AgentManagesGroup(Conflict):
    """The agent manages a group; delete the group first, or give it another manager."""

    code = "agent_manages_group"


class AgentTypeWrong(Invalid):
    """Only agents of another type can do that."""

    code = "agent_type_wrong"
