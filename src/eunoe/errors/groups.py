"""Groups of agents."""

from eunoe.errors.kinds import Conflict


class AgentManagesGroup(Conflict):
    """The agent manages a group; delete the group first, or give it another manager."""

    code = "agent_manages_group"
