"""A token that a client-side application holds: some agents, some access, for some time (25.3)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Access: TypeAlias = Literal["read_messages", "write_messages", "read_agent", "write_agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What may be done with one agent."""

    agent_id: str
    access: tuple[Access, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What is kept of a token; who holds it acts as the user who made it.

    `hostname` is the address of the application, with its scheme.
    """

    id: str
    organization_id: str
    user_id: str
    hostname: str
    grants: tuple[Grant, ...]
    expires_at: datetime
    created_at: datetime

    def allows(self, access: Access, *, agent_id: str) -> bool:
        return any(one.agent_id == agent_id and access in one.access for one in self.grants)
