"""What a request does, told by its method and path alone: what a key or token must allow for it.

What stands in no table here is for administrators: a route that is added is closed until it is
classified. `tests/http/test_scopes.py` names the class of every route.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eunoe.domain.access_tokens import Access
from eunoe.domain.keys import Scope
from eunoe.ids import UUID4

CALLBACK: Final = "/v1/tools/mcp/oauth/callback"
"""Where a sign-in with an MCP server ends: a browser comes there from that server."""
EXEMPT: Final = frozenset(
    {
        "/v1/health",
        "/v1/health/",
        "/latest/health/",
        "/v1/ready",
        "/v1/ready/",
        "/latest/ready",
        "/latest/ready/",
        CALLBACK,
    }
)
"""Paths that answer anybody, so that a supervisor needs no password (api 1.11.2).

What a sign-in came to is let in by its state, which is a secret."""

_ANYTHING: Final = (
    "agents|archives|blocks|client-side-access-tokens|conversations|costs|embeddings|environments|"
    "folders|groups|identities|jobs|mcp-servers|messages|models|openai/models|passages|providers|runs|"
    "sandbox-config|sources|steps|tags|telemetry|templates|tools"
)
_ONE: Final = "[^/]+"
_SCOPES: Final[Sequence[tuple[str, str, Scope]]] = (
    # Reads that reach out, or that show values of secrets.
    ("GET", f"mcp-servers/connect/{_ONE}", "write"),
    ("GET", f"sandbox-config/{_ONE}/environment-variable", "write"),
    ("GET", f"(?:{_ANYTHING})(?:/.*)?", "read"),
    ("POST", "(?:agents/messages|messages|passages|tools)/search", "read"),
    ("POST", f"(?:agents|conversations)/{_ONE}/messages/preview-raw-payload", "read"),
    ("POST", f"agents/{_ONE}/export", "read"),
    ("POST", f"runs/{_ONE}/stream", "read"),
    ("POST", f"(?:agents|conversations|groups)/{_ONE}/messages(?:/stream|/async)?", "run"),
    ("POST", f"agents/{_ONE}/(?:messages/cancel|generate)", "run"),
    ("POST", f"conversations/{_ONE}/(?:stream|cancel)", "run"),
    (
        "POST",
        f"(?:openai/)?(?:chat/completions|responses)|voice-beta/{_ONE}/chat/completions",
        "run",
    ),
    ("POST", "messages/batches", "run"),
    ("PATCH", f"messages/batches/{_ONE}/cancel", "run"),
    ("POST|PUT|PATCH|DELETE", f"(?:{_ANYTHING})(?:/.*)?", "write"),
)
_ROUTES: Final[Sequence[tuple[Sequence[str], re.Pattern[str], Scope]]] = [
    (methods.split("|"), re.compile(f"/v1/(?:{path})/?"), scope) for methods, path, scope in _SCOPES
]
_OUTSIDE: Final[dict[str, Scope]] = {"/mcp": "write", "/openapi.json": "read"}
"""What is not under the version: an MCP client may do all that is offered there."""

_AGENT: Final = re.compile(f"/v1/(?:agents|voice-beta|conversations)/(agent-{UUID4})(/.*)?")
_OWNED: Final = re.compile(f"/v1/(?:conversations/(conv-{UUID4})|runs/(run-{UUID4}))(?:/.*)?")
# Attaching names things beside the agent, which a key or token for it says nothing of.
_BESIDE: Final = re.compile("/(?:attach|detach)/")

_OPEN: Final[Sequence[tuple[str, str, Access]]] = (
    ("GET", "", "read_agent"),
    ("GET", "/context", "read_agent"),
    ("GET", "/core-memory", "read_agent"),
    ("GET", "/core-memory/blocks/?", "read_agent"),
    ("GET", "/core-memory/blocks/.+", "read_agent"),
    ("GET", "/tools", "read_agent"),
    ("GET", "/archival-memory", "read_agent"),
    ("GET", "/archival-memory/search", "read_agent"),
    ("PATCH", "", "write_agent"),
    ("PATCH", "/core-memory/blocks/.+", "write_agent"),
    ("POST", "/archival-memory", "write_agent"),
    ("DELETE", "/archival-memory/[^/]+", "write_agent"),
    ("POST", "/recompile", "write_agent"),
    ("GET", "/messages", "read_messages"),
    ("POST", "/messages", "write_messages"),
    ("POST", "/messages/stream", "write_messages"),
    ("POST", "/messages/cancel", "write_messages"),
    ("PATCH", "/reset-messages", "write_messages"),
    ("POST", "/summarize", "write_messages"),
)
_TOKENS: Final[Sequence[tuple[str, re.Pattern[str], Access]]] = [
    (method, re.compile(f"/v1/agents/agent-{UUID4}{path}"), access)
    for method, path, access in _OPEN
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a request wants.

    `scope` is the least a key must have, `access` what a token must give, null where none does.
    `agent_id` is the one agent it is about, `of` the conversation or run whose agent that is;
    with neither it reaches further than one agent.
    """

    scope: Scope
    access: Access | None = None
    agent_id: str | None = None
    of: str | None = None


def deed_of(method: str, path: str) -> Deed:
    """Return what a request to this path, cleaned as it is routed, does."""
    scope = _scope(method, path)
    agent = _AGENT.fullmatch(path)
    if agent is not None and _BESIDE.search(agent[2] or "") is None:
        return Deed(scope=scope, access=_access(method, path), agent_id=agent[1])
    owned = _OWNED.fullmatch(path)
    return Deed(scope=scope, of=None if owned is None else owned[1] or owned[2])


def _scope(method: str, path: str) -> Scope:
    if path in EXEMPT:
        return "read"
    for methods, pattern, scope in _ROUTES:
        if method in methods and pattern.fullmatch(path):
            return scope
    return _OUTSIDE.get(path, "admin")


def _access(method: str, path: str) -> Access | None:
    for wanted, pattern, access in _TOKENS:
        if method == wanted and pattern.fullmatch(path):
            return access
    return None
