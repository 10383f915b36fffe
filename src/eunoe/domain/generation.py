"""A question to a model alone, beside all conversations, and its answer (api 6.80)."""

from dataclasses import dataclass

from eunoe.domain.messages import Json
from eunoe.domain.runs import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`model` is a handle in place of the agent's; `schema` is of the JSON that is wanted."""

    prompt: str
    system: str | None = None
    model: str | None = None
    schema: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    text: str
    model: str
    usage: Usage
