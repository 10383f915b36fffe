"""Identifiers: a prefix that names the noun, then a lower-case UUID version 4 (api 2.1)."""

import re
import uuid
from typing import Final

PREFIXES: Final = {
    "access_token": "token",
    "agent": "agent",
    "archive": "archive",
    "audit": "audit",
    "block": "block",
    "budget": "budget",
    "conversation": "conv",
    "deployment": "deployment",
    "file": "file",
    "file_agent": "file_agent",
    "folder": "source",
    "group": "group",
    "identity": "identity",
    "mcp_oauth": "mcp-oauth",
    "mcp_server": "mcp_server",
    "job": "job",
    "key": "key",
    "message": "message",
    "organization": "org",
    "passage": "passage",
    "ping": "ping",
    "provider": "provider",
    "provider_trace": "provider_trace",
    "run": "run",
    "secret": "agent-env",
    "sandbox": "sandbox",
    "sandbox_variable": "sandbox-env",
    "schedule": "schedule",
    "step": "step",
    "template": "template",
    "tool": "tool",
    "user": "user",
}
UUID4: Final = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
DEFAULT_ORGANIZATION: Final = "org-00000000-0000-4000-8000-000000000000"
DEFAULT_USER: Final = "user-00000000-0000-4000-8000-000000000000"

_PATTERNS: Final = {noun: re.compile(f"{prefix}-{UUID4}") for noun, prefix in PREFIXES.items()}
_PART_BITS: Final = 7


def new(noun: str) -> str:
    """Return a fresh id of `noun`, e.g. `new("agent")` gives `agent-6f1c…`."""
    return f"{PREFIXES[noun]}-{uuid.uuid4()}"


def is_id(noun: str, text: str) -> bool:
    """Whether `text` is a well-formed id of `noun`, length included."""
    return _PATTERNS[noun].fullmatch(text) is not None


def pattern(noun: str) -> str:
    """Return the anchored regular expression of the ids of `noun`."""
    return f"^{PREFIXES[noun]}-{UUID4}$"


def request_id(message_id: str) -> str:
    """Return the id of the request for approval that is part of a reply (streaming 2.5.5)."""
    prefix, number = message_id[:-36], uuid.UUID(message_id[-36:]).int
    return f"{prefix}{uuid.UUID(int=number - 1)}"


def part_otid(message_id: str, part: int) -> str:
    """Return the otid of one part of a stored message (streaming 2.5, api 9.4).

    The lowest 7 bits of the message's UUID are replaced by the part's index;
    an index past 127 stays at 127, so that a long reply cannot fail a stream.
    """
    number = uuid.UUID(message_id[-36:]).int
    ceiling = (1 << _PART_BITS) - 1
    return str(uuid.UUID(int=number & ~ceiling | min(part, ceiling)))
