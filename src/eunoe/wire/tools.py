"""Tools on the wire (api 13)."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, cast, get_args

from pydantic import AliasChoices, ConfigDict, Field
from typing_extensions import TypedDict

from eunoe.domain import tools
from eunoe.domain.messages import Json, ToolReturn
from eunoe.domain.tool_drafts import SourceType, ToolDraft, ToolWish, Trial, WrittenTool
from eunoe.domain.tool_search import ToolHit
from eunoe.domain.tools import ToolSchema, ToolType
from eunoe.domain.views import Returned, View
from eunoe.errors import Invalid
from eunoe.wire.messages import Lens, ToolReturnMessage, bodies
from eunoe.wire.shape import Shape, Strict, distinct_if_sent

ReturnLimit: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
_NO_ID: Final = "null"


class ApprovalBody(Shape):
    """Whether calls of a tool wait for approval. The JavaScript client says it by another name."""

    requires_approval: Annotated[
        bool, Field(validation_alias=AliasChoices("requires_approval", "body_requires_approval"))
    ]


class Requirement(Shape):
    """A package that a tool imports; without a version, the newest."""

    name: Annotated[str, Field(min_length=1)]
    version: str | None = None


class _ToolBody(Shape):
    source_type: SourceType | None = None
    json_schema: dict[str, Any] | None = None
    args_json_schema: dict[str, Any] | None = None
    description: str | None = None
    tags: list[str] | None = None
    return_char_limit: ReturnLimit | None = None
    pip_requirements: list[Requirement] | None = None
    npm_requirements: list[Requirement] | None = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = None

    def _draft(self, **more: object) -> ToolDraft:
        return self.made(
            ToolDraft,
            tags=distinct_if_sent(self.tags),
            pip_requirements=_requirements(self.pip_requirements),
            npm_requirements=_requirements(self.npm_requirements),
            parallel=self.enable_parallel_execution,
            **more,
        )


class CreateToolBody(_ToolBody):
    """A tool by its source; a null field says nothing, and neither does a missing one (13.2)."""

    model_config = ConfigDict(extra="forbid")

    source_code: str

    def draft(self, *, project_id: str | None) -> ToolDraft:
        return self._draft(project_id=project_id)


class UpdateToolBody(_ToolBody):
    """What is to be different; `metadata_` is the free metadata, named as in answers (4.5)."""

    source_code: str | None = None
    metadata_: dict[str, Any] | None = None

    def draft(self) -> ToolDraft:
        return self._draft(metadata=self.metadata_)


class SearchToolsBody(Strict):
    """Tools are found by words, whatever the mode asks for."""

    query: str | None = None
    search_mode: Literal["vector", "fts", "hybrid"] = "hybrid"
    tool_types: list[str] | None = None
    tags: list[str] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class SourceBody(Shape):
    """A source whose schema is asked for."""

    code: str
    source_type: str | None = "python"

    def draft(self) -> ToolDraft:
        return ToolDraft(source_code=self.code, source_type=_source_type(self.source_type))


class WishBody(Shape):
    """A tool that a model is to write (13.5)."""

    tool_name: str
    prompt: str
    handle: str | None = None
    starter_code: str | None = None
    validation_errors: list[str]

    def wish(self) -> ToolWish:
        return self.made(ToolWish, name=self.tool_name, faults=tuple(self.validation_errors))


class RunToolBody(Strict):
    """The arguments of one call."""

    args: dict[str, Any] = Field(default_factory=dict[str, Any])


class RunSourceBody(Strict):
    """A source to be run once (X33)."""

    source_code: str
    args: dict[str, Any]
    env_vars: dict[str, str] = Field(default_factory=dict[str, str])
    name: str | None = None
    source_type: str | None = None
    args_json_schema: dict[str, Any] | None = None
    json_schema: dict[str, Any] | None = None
    pip_requirements: list[Requirement] | None = None
    npm_requirements: list[Requirement] | None = None

    def trial(self) -> Trial:
        draft = self.made(
            ToolDraft,
            source_type=_source_type(self.source_type),
            pip_requirements=_requirements(self.pip_requirements),
            npm_requirements=_requirements(self.npm_requirements),
        )
        return Trial(draft=draft, name=self.name, arguments=self.args, environment=self.env_vars)


class Tool(TypedDict):
    id: str
    name: str
    description: str
    tool_type: ToolType
    source_type: str | None
    source_code: str | None
    json_schema: Json
    args_json_schema: Json | None
    tags: list[str]
    return_char_limit: int
    pip_requirements: list[Json] | None
    npm_requirements: list[Json] | None
    default_requires_approval: bool | None
    enable_parallel_execution: bool
    metadata_: Json
    project_id: str | None
    created_by_id: str | None
    last_updated_by_id: str | None


class FoundTool(TypedDict):
    tool: Tool
    embedded_text: str | None
    fts_rank: int | None
    vector_rank: int | None
    combined_score: float


class GeneratedTool(TypedDict):
    tool: Tool
    sample_args: Json
    response: str


class ToolExecution(TypedDict):
    """What a call came to; `agent_state` is never sent (api 6.50)."""

    status: Literal["success", "error"]
    func_return: Any
    agent_state: None
    stdout: list[str]
    stderr: list[str]
    sandbox_config_fingerprint: str | None


def tool(one: tools.Tool) -> Tool:
    """Return a tool, every field present; its free metadata is called `metadata_` (4.5)."""
    # Written out, for a list of agents has hundreds of them: it takes a third of the time.
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "tool_type": one.tool_type,
        "source_type": one.source_type,
        "source_code": one.source_code,
        "json_schema": {**(one.json_schema or schema(one.schema)), **_health(one)},
        "args_json_schema": one.args_json_schema,
        "tags": list(one.tags),
        "return_char_limit": one.return_char_limit,
        "pip_requirements": list(one.pip_requirements) or None,
        "npm_requirements": list(one.npm_requirements) or None,
        "default_requires_approval": one.default_requires_approval,
        "enable_parallel_execution": one.parallel,
        "metadata_": one.metadata,
        "project_id": one.project_id,
        "created_by_id": one.created_by_id,
        "last_updated_by_id": one.last_updated_by_id,
    }


def schema(told: ToolSchema) -> Json:
    """Return what models are told of a tool (13.2.3)."""
    return {"name": told.name, "description": told.description, "parameters": told.parameters}


def found(hit: ToolHit) -> FoundTool:
    return {
        "tool": tool(hit.tool),
        "embedded_text": None,
        "fts_rank": hit.rank,
        "vector_rank": None,
        "combined_score": hit.score,
    }


def generated(written: WrittenTool) -> GeneratedTool:
    return {
        "tool": tool(written.tool),
        "sample_args": written.sample_arguments,
        "response": written.remarks,
    }


def execution(result: tools.ToolResult) -> ToolExecution:
    """Return what a call came to; the reason of a failure is in its `stderr` alone (6.50)."""
    text = str(result.output)
    told = any(text in line for line in result.stderr)
    return {
        "status": "success" if result.ok else "error",
        "func_return": result.output if result.ok else None,
        "agent_state": None,
        "stdout": list(result.stdout),
        "stderr": [*result.stderr, *([] if result.ok or told else [text])],
        "sandbox_config_fingerprint": result.fingerprint,
    }


def returned(result: tools.ToolResult, *, name: str | None, at: datetime) -> ToolReturnMessage:
    """Return what a source came to as the message of a call that was never made (13.5)."""
    given = ToolReturn(
        call_id=_NO_ID,
        name=name or "",
        ok=result.ok,
        output=result.output,
        time="",
        stdout=result.stdout,
        stderr=result.stderr,
        parts=result.parts,
    )
    view = View(message_id=_NO_ID, otid=None, at=at, body=Returned(returns=(given,)))
    (shown,) = bodies(view, Lens())
    return cast("ToolReturnMessage", {**shown, "name": name})


def _source_type(given: str | None) -> SourceType | None:
    if given is not None and given not in get_args(SourceType):
        raise Invalid(f"There is no source type {given}; use python or typescript.")
    return cast("SourceType | None", given)


def _requirements(given: list[Requirement] | None) -> tuple[Json, ...] | None:
    return None if given is None else tuple(one.model_dump() for one in given)


def _health(one: tools.Tool) -> Json:
    """Return what is said of the schema that an MCP server gave a tool (agent X51)."""
    told = one.metadata.get("mcp")
    if one.tool_type != "external_mcp" or not isinstance(told, dict):
        return {}
    health = cast("Json", told)
    return {
        "mcp:SCHEMA_STATUS": health.get("schema_status"),
        "mcp:SCHEMA_WARNINGS": health.get("schema_warnings"),
    }
