"""Templates as the wire has them (api 25.2)."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints, field_validator
from typing_extensions import TypedDict

from eunoe.domain.drafts import OpeningMessage
from eunoe.domain.messages import Json, Text
from eunoe.domain.templates import Instance, Template, TemplateVersion
from eunoe.errors import Invalid
from eunoe.wire.references import AgentId, AgentName, IdentityId
from eunoe.wire.secrets import SecretsBody, first_sent
from eunoe.wire.shape import Shape, distinct, shown_as

_PROJECT: Final = "default"
"""There is one project, which everything is in."""

Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[\w.-][\w .-]{0,99}$")]


class CreateTemplate(Shape):
    type: Literal["agent", "agent_file"]
    agent_id: AgentId | None = None
    agent_file: Json | None = None
    name: Name | None = None
    update_existing_tools: bool = False

    def source(self) -> str | Json:
        """Return the id of the agent, or the file, to make a template of."""
        found = self.agent_id if self.type == "agent" else self.agent_file
        if found is None:
            raise Invalid(f"Give what to make a template of, as `{self.type}{_OF[self.type]}`.")
        return found


_OF: Final = {"agent": "_id", "agent_file": ""}


class UpdateTemplate(Shape):
    agent_file_json: Json
    save_existing_changes: bool = False
    update_existing_tools: bool = False


class SaveTemplate(Shape):
    """The other fields say how agents follow a new version, and here they do not."""

    message: Annotated[str, Field(max_length=1_000)] | None = None
    migrate_agents: bool = False
    block_reconciliation_strategy: Literal["reconcile-all", "preserve-deleted"] | None = None
    preserve_core_memories_on_migration: bool | None = None
    preserve_environment_variables_on_migration: bool | None = None
    preserve_sources_on_migration: bool | None = None

    @field_validator("migrate_agents")
    @classmethod
    def _refuse_migration(cls, given: bool) -> bool:
        if given:
            raise ValueError("Agents stay as they were made; leave migrate_agents out.")
        return given


class RollbackTemplate(Shape):
    version: str


class Opening(Shape):
    role: Literal["user", "system", "assistant"]
    content: str
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    batch_item_id: str | None = None

    def message(self) -> OpeningMessage:
        return self.made(OpeningMessage, content=(Text(text=self.content),))


class CreateFromTemplate(Shape):
    agent_name: AgentName | None = None
    tags: list[str] = Field([])
    memory_variables: dict[str, str] = Field({})
    initial_message_sequence: list[Opening] | None = None
    identity_ids: list[IdentityId] = Field([])
    tool_variables: SecretsBody = Field({})

    def instance(self) -> Instance:
        opening = self.initial_message_sequence
        return Instance(
            name=self.agent_name,
            tags=tuple(self.tags),
            variables=self.memory_variables,
            opening=None if opening is None else tuple(one.message() for one in opening),
            identity_ids=distinct(self.identity_ids),
            secrets=first_sent(self.tool_variables) or {},
        )


class WireTemplate(TypedDict):
    id: str
    name: str
    description: str | None
    project_id: str
    project_slug: str
    latest_version: str
    template_deployment_slug: str
    updated_at: str


class WireVersion(TypedDict):
    version: str
    created_at: str
    message: str | None
    is_latest: bool


class TemplateList(TypedDict):
    templates: list[WireTemplate]
    has_next_page: bool


class TemplateVersions(TypedDict):
    versions: list[WireVersion]
    has_next_page: bool
    total_count: int


class Done(TypedDict):
    success: bool
    message: str | None


class AgentsMade(TypedDict):
    agent_ids: list[str]
    deployment_id: str
    group_id: str | None


def shown(template: Template) -> WireTemplate:
    latest = str(template.latest_version)
    return shown_as(
        WireTemplate,
        template,
        project_id=_PROJECT,
        project_slug=_PROJECT,
        latest_version=latest,
        template_deployment_slug=f"{_PROJECT}/{template.name}:{latest}",
    )


def shown_versions(
    template: Template, versions: Sequence[TemplateVersion], *, more: bool
) -> TemplateVersions:
    return {
        "versions": [
            shown_as(
                WireVersion,
                one,
                version=str(one.version),
                is_latest=one.version == template.latest_version,
            )
            for one in versions
        ],
        "has_next_page": more,
        "total_count": template.latest_version,
    }
