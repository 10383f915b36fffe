"""Tools on the wire (api 13.1)."""

from typing import Annotated

from pydantic import AliasChoices, BaseModel, Field
from typing_extensions import TypedDict

from eunoe.domain import tools
from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolType


class ApprovalBody(BaseModel):
    """Whether calls of a tool wait for approval. The JavaScript client says it by another name."""

    requires_approval: Annotated[
        bool, Field(validation_alias=AliasChoices("requires_approval", "body_requires_approval"))
    ]


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


def tool(one: tools.Tool) -> Tool:
    """Return a tool, every field present; its free metadata is called `metadata_` (4.5)."""
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "tool_type": one.tool_type,
        "source_type": one.source_type,
        "source_code": one.source_code,
        "json_schema": one.json_schema
        or {
            "name": one.name,
            "description": one.description,
            "parameters": one.parameters,
        },
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
