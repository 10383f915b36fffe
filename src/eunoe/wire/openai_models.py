"""Agents in the place of models, for programs that list these before they ask one."""

from typing import Literal

from typing_extensions import TypedDict

from eunoe.domain.agents import Agent


class Model(TypedDict):
    """An agent as OpenAI shows a model; `name` is for chat windows that show one."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    name: str


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[Model]


def model(agent: Agent) -> Model:
    return Model(
        id=agent.id,
        object="model",
        created=int(agent.created_at.timestamp()),
        owned_by="eunoe",
        name=agent.name,
    )
