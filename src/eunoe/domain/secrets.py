"""What an agent's tools may know and nobody else."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSecret:
    """A variable in the environment of an agent's tools. Its value does not show in a repr."""

    id: str
    organization_id: str
    agent_id: str
    key: str
    value: str = field(repr=False)
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: datetime
    updated_at: datetime
