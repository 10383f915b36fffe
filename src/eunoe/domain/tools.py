"""A tool an agent can call, and what came of a call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from eunoe.domain.messages import Image, Json, Text, ToolCall

ToolType: TypeAlias = Literal[
    "custom", "letta_core", "letta_memory_core", "letta_multi_agent_core", "letta_sleeptime_core",
    "letta_voice_sleeptime_core", "letta_builtin", "letta_files_core", "external_mcp",
]  # fmt: skip
RETURN_CHAR_LIMIT: Final = 50_000
UNTRUNCATED: Final = frozenset({"conversation_search", "archival_memory_search", "search_memory"})
"""Tools whose results bound themselves, so that no cut is made afterwards (X12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSchema:
    """What the model is told of a tool: `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    id: str
    name: str
    tool_type: ToolType
    description: str
    parameters: Json
    tags: tuple[str, ...] = ()
    source_type: str | None = None
    source_code: str | None = None
    args_json_schema: Json | None = None
    json_schema: Json | None = None
    """The whole schema as it was given, where it says more than name, description, parameters."""
    return_char_limit: int = RETURN_CHAR_LIMIT
    pip_requirements: tuple[Json, ...] = ()
    npm_requirements: tuple[Json, ...] = ()
    default_requires_approval: bool | None = None
    parallel: bool = False
    idempotent: bool = False
    metadata: Json = field(default_factory=dict[str, object])
    project_id: str | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None

    @property
    def schema(self) -> ToolSchema:
        told = (self.json_schema or {}).get("description")
        description = told if isinstance(told, str) else self.description
        return ToolSchema(name=self.name, description=description, parameters=self.parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a call came to; a failure is a value, `ok` false and `output` the reason.

    `parts` as in `ToolReturn`.
    """

    ok: bool
    output: str | Json
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    parts: tuple[Text | Image, ...] = ()
    duration_ns: int = 0
    fingerprint: str | None = None
    """Tells the configurations of the sandbox apart in which custom tools ran."""


def truncated(text: str, *, limit: int) -> str:
    """Return `text` cut to `limit` characters with a note that holds both sizes (X12)."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... [the output was truncated: {len(text)} > {limit} characters]"


def grouped(
    calls: Sequence[ToolCall], *, parallel: frozenset[str]
) -> tuple[list[ToolCall], list[ToolCall]]:
    """Split `calls` into those that may run together and those that run in order (L40).

    `parallel` holds the names of the tools that are safe to run together; a
    single call runs alone, so it never needs the first group.
    """
    if len(calls) == 1:
        return [], list(calls)
    together = [call for call in calls if call.name in parallel]
    in_order = [call for call in calls if call.name not in parallel]
    return together, in_order
