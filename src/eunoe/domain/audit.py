"""What administrators did: who, when, what, to which object. Never the value of a secret."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Action: TypeAlias = Literal[
    "access_token.create",
    "access_token.revoke",
    "agent.delete",
    "agent.export",
    "archive.delete",
    "block.delete",
    "block.revert",
    "budget.delete",
    "budget.set",
    "organization.create",
    "organization.delete",
    "organization.update",
    "passage.delete",
    "provider.create",
    "provider.delete",
    "provider.update",
    "sandbox_variable.delete",
    "sandbox_variable.set",
    "secrets.replace",
    "secrets.rotate",
    "user.create",
    "user.delete",
    "user.update",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`request_id` is null for what the command line did by itself."""

    id: str
    actor_id: str
    action: Action
    object_id: str
    request_id: str | None
    created_at: datetime
