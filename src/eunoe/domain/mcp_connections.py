"""The way to an MCP server, step by step (X48)."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from eunoe.domain.tools import Tool

Event: TypeAlias = Literal[
    "connection_attempt",
    "success",
    "error",
    "oauth_required",
    "authorization_url",
    "waiting_for_auth",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One step on the way to a server: what happened, and what there is to say or show."""

    event: Event
    message: str | None = None
    url: str | None = None
    session_id: str | None = None
    tools: tuple[Tool, ...] | None = None
