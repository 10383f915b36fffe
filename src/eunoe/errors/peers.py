"""Agents that speak with each other."""

from eunoe.errors.kinds import Conflict, EunoeError


class PeerBusy(Conflict):
    """The agent is busy with another message, so this one was not delivered; try again later."""

    code = "agent_busy"


class PeerWaits(Conflict):
    """The agent is itself waiting for this answer, so it can give none; nothing was delivered."""

    code = "agent_waits"


class PeersTooDeep(Conflict):
    """Too many agents have passed this on to each other; nothing was delivered. Answer yourself."""

    code = "agents_too_deep"


class PeerFailed(EunoeError):
    """The agent could not answer."""

    code = "agent_failed"
    kind = "upstream"
