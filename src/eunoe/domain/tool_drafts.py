"""A tool as a caller asks for it; in all of it a null field says nothing (api 4.6)."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool

SourceType: TypeAlias = Literal["python", "typescript", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDraft:
    """What a tool is to be made of, or what is to be different about it.

    `json_schema` is the whole schema, name and all; `args_json_schema` that of the arguments.
    """

    source_code: str | None = None
    source_type: SourceType | None = None
    json_schema: Json | None = None
    args_json_schema: Json | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    return_char_limit: int | None = None
    pip_requirements: tuple[Json, ...] | None = None
    npm_requirements: tuple[Json, ...] | None = None
    default_requires_approval: bool | None = None
    parallel: bool | None = None
    metadata: Json | None = None
    project_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A source to be run once, with arguments and variables, and not stored."""

    draft: ToolDraft
    name: str | None = None
    arguments: Json
    environment: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolWish:
    """A tool that a model is to write; `faults` are those of an earlier try."""

    name: str
    prompt: str
    handle: str | None = None
    starter_code: str | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTool:
    """A tool that a model has written, not stored, with arguments to try it with."""

    tool: Tool
    sample_arguments: Json
    remarks: str
