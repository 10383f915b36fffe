"""Blocks on the wire (api 12)."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from typing_extensions import TypedDict

from eunoe.domain.blocks import (
    DEFAULT_LIMIT,
    Block,
    BlockDraft,
    BlockPatch,
    BlockVersion,
    built_in_description,
)
from eunoe.domain.messages import Json
from eunoe.wire.shape import Shape, Strict, distinct, distinct_if_sent, shown_as

Limit = Annotated[int, Field(ge=0, le=2**53)]


class _Body(Shape):
    description: str | None = None
    hidden: bool | None = None
    template_name: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    project_id: str | None = None


class CreateBlockBody(_Body):
    label: Annotated[str, Field(min_length=1)]
    value: str = ""
    limit: Limit = DEFAULT_LIMIT
    read_only: bool = False
    approve_writes: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    tags: list[str] = Field(default_factory=list[str])
    is_template: bool = False
    preserve_on_migration: bool | None = False

    @field_validator(
        "value",
        "limit",
        "read_only",
        "approve_writes",
        "metadata",
        "tags",
        "is_template",
        mode="before",
    )
    @classmethod
    def _null_is_absent(cls, value: object, info: ValidationInfo) -> object:
        if value is not None:
            return value
        field = cls.model_fields[info.field_name or ""]
        return field.get_default(call_default_factory=True, validated_data={})

    def draft(self) -> BlockDraft:
        return self.made(BlockDraft, tags=distinct(self.tags))


class UpdateBlockBody(_Body):
    """A null field says nothing (12.20). `approve_writes` is this server's own."""

    label: Annotated[str, Field(min_length=1)] | None = None
    value: str | None = None
    limit: Limit | None = None
    read_only: bool | None = None
    approve_writes: bool | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    is_template: bool | None = None
    preserve_on_migration: bool | None = None

    def patch(self) -> BlockPatch:
        tags = distinct_if_sent(self.tags)
        return self.made(BlockPatch, tags=tags)


class BlockResponse(TypedDict):
    id: str
    label: str
    value: str
    limit: int
    description: str | None
    read_only: bool
    approve_writes: bool
    metadata: Json
    tags: list[str]
    hidden: bool | None
    is_template: bool
    template_name: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    entity_id: str | None
    preserve_on_migration: bool | None
    project_id: str | None
    created_by_id: str | None
    last_updated_by_id: str | None


class BlockVersionResponse(TypedDict):
    """One entry of a block's history; this server's own addition."""

    id: str
    block_id: str
    version: int
    label: str
    value: str
    limit: int
    description: str | None
    read_only: bool
    metadata: Json | None
    tags: list[str] | None
    actor_id: str | None
    agent_id: str | None
    run_id: str | None
    step_id: str | None
    message_id: str | None
    created_at: str


class BlockDiff(TypedDict):
    """How a block changed; this server's own addition."""

    diff: str


class RevertBlockBody(Strict):
    """`expected_version` is the one the caller has seen: a block past it is not touched."""

    version: Annotated[int, Field(ge=1, le=2**53)]
    expected_version: Annotated[int, Field(ge=1, le=2**53)] | None = None


def block(one: Block) -> BlockResponse:
    """Return a block, every field present; `human` and `persona` always say what they are for."""
    # Written out, for a list of agents has hundreds of them: it takes a third of the time.
    return {
        "id": one.id,
        "label": one.label,
        "value": one.value,
        "limit": one.limit,
        "description": one.description or built_in_description(one.label),
        "read_only": one.read_only,
        "approve_writes": one.approve_writes,
        "metadata": one.metadata,
        "tags": list(one.tags),
        "hidden": one.hidden,
        "is_template": one.is_template,
        "template_name": one.template_name,
        "template_id": one.template_id,
        "base_template_id": one.base_template_id,
        "deployment_id": one.deployment_id,
        "entity_id": one.entity_id,
        "preserve_on_migration": one.preserve_on_migration,
        "project_id": one.project_id,
        "created_by_id": one.created_by_id,
        "last_updated_by_id": one.last_updated_by_id,
    }


def version(one: BlockVersion) -> BlockVersionResponse:
    """Return one entry of a block's history: what it became, by whom, in which run, and when."""
    return shown_as(BlockVersionResponse, one, id=f"{one.block_id}:{one.version}")
