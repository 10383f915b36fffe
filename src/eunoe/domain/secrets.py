"""What an agent's tools may know and nobody else."""

from dataclasses import dataclass, field

from eunoe.domain.origins import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSecret(Stored):
    """A variable in the environment of an agent's tools. Its value does not show in a repr."""

    id: str
    organization_id: str
    agent_id: str
    key: str
    value: str = field(repr=False)
