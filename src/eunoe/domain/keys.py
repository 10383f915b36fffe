"""A key to this server: how much of the API it opens, whose things it sees, for how long."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

Scope: TypeAlias = Literal["read", "run", "write", "admin"]
"""Each opens what those before it do. `admin` alone reaches beyond its own organization."""

SCOPES: Final[tuple[Scope, ...]] = ("read", "run", "write", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of a key; who holds it acts as its user.

    With `agent_ids` it opens what is about one of these agents alone, and nothing else.
    """

    id: str
    organization_id: str
    user_id: str
    name: str
    scope: Scope
    agent_ids: tuple[str, ...] = ()
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    created_at: datetime

    def allows(self, scope: Scope, *, agent_id: str | None) -> bool:
        """Whether it opens what wants `scope` and is about this agent; null is about more."""
        if self.agent_ids and agent_id not in self.agent_ids:
            return False
        return SCOPES.index(scope) <= SCOPES.index(self.scope)

    @property
    def sees_secrets(self) -> bool:
        """Whether values of secrets are shown: to who could set them, of all agents."""
        return not self.agent_ids and self.allows("write", agent_id=None)
