"""Groups on the wire (api 21.10)."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from eunoe.domain import groups
from eunoe.domain.groups import (
    TERMINATION_TOKEN,
    GroupDraft,
    GroupPatch,
    ManagerType,
    check_buffers,
)
from eunoe.domain.messages import Json
from eunoe.wire.references import AgentId, BlockId
from eunoe.wire.shape import Shape, distinct, shown_as

Turns: TypeAlias = Annotated[int, Field(ge=1, le=2**31)]


class Group(TypedDict):
    id: str
    manager_type: ManagerType
    agent_ids: Sequence[str]
    description: str
    project_id: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    shared_block_ids: Sequence[str]
    manager_agent_id: str | None
    termination_token: str | None
    max_turns: int | None
    sleeptime_agent_frequency: int | None
    turns_counter: int | None
    last_processed_message_id: str | None
    max_message_buffer_length: int | None
    min_message_buffer_length: int | None
    hidden: bool | None


def group(one: groups.Group) -> Group:
    """Return a group, every field present."""
    return shown_as(Group, one)


class _Config(Shape):
    """What a kind of group is set by; null says nothing."""

    def values(self) -> Json:
        return {
            name: value
            for name, value in self.model_dump(exclude={"manager_type"}).items()
            if value is not None
        }


class RoundRobinConfig(_Config):
    manager_type: Literal["round_robin"] = "round_robin"
    max_turns: Turns | None = None


class SupervisorConfig(_Config):
    manager_type: Literal["supervisor"]
    manager_agent_id: AgentId | None = None


class DynamicConfig(_Config):
    manager_type: Literal["dynamic"]
    manager_agent_id: AgentId | None = None
    termination_token: str | None = None
    max_turns: Turns | None = None


class SleeptimeConfig(_Config):
    manager_type: Literal["sleeptime"]
    manager_agent_id: AgentId | None = None
    sleeptime_agent_frequency: Turns | None = None


class VoiceSleeptimeConfig(_Config):
    manager_type: Literal["voice_sleeptime"]
    manager_agent_id: AgentId | None = None
    max_message_buffer_length: Annotated[int, Field(le=2**31)] | None = None
    min_message_buffer_length: int | None = None

    @model_validator(mode="after")
    def _buffers_fit(self) -> Self:
        check_buffers(self.max_message_buffer_length, self.min_message_buffer_length)
        return self


Config: TypeAlias = Annotated[
    RoundRobinConfig | SupervisorConfig | DynamicConfig | SleeptimeConfig | VoiceSleeptimeConfig,
    Field(discriminator="manager_type"),
]


class CreateGroupBody(Shape):
    agent_ids: list[AgentId]
    description: str
    manager_config: Config = Field(default_factory=RoundRobinConfig)
    project_id: str | None = None
    shared_block_ids: list[BlockId] = Field(default_factory=list[str])
    hidden: bool | None = None

    @model_validator(mode="after")
    def _has_its_manager(self) -> Self:
        config = self.manager_config
        if not isinstance(config, RoundRobinConfig) and config.manager_agent_id is None:
            raise ValueError(f"a {config.manager_type} group needs a manager_agent_id")
        return self

    def draft(self) -> GroupDraft:
        config = self.manager_config.values()
        if isinstance(self.manager_config, DynamicConfig):
            config = {"termination_token": TERMINATION_TOKEN, **config}
        return self.made(
            GroupDraft,
            manager_type=self.manager_config.manager_type,
            agent_ids=tuple(self.agent_ids),
            config=config,
            shared_block_ids=distinct(self.shared_block_ids),
        )


class UpdateGroupBody(Shape):
    agent_ids: list[AgentId] | None = None
    description: str | None = None
    manager_config: Config | None = None
    project_id: str | None = None
    shared_block_ids: list[BlockId] | None = None

    def patch(self) -> GroupPatch:
        """Return what is to change; null says nothing."""
        values: Json = {
            name: value
            for name, value in self.model_dump(include={"description", "project_id"}).items()
            if value is not None
        }
        for name in ("agent_ids", "shared_block_ids"):
            given: list[str] | None = getattr(self, name)
            if given is not None:
                values[name] = tuple(given)
        config = self.manager_config
        return GroupPatch(
            manager_type=None if config is None else config.manager_type,
            values=values | ({} if config is None else config.values()),
        )
