"""A question to an agent's model, and its answer (api 6.80)."""

from typing import Annotated, Any

from pydantic import Field, field_validator
from typing_extensions import TypedDict

from eunoe.domain.events import Used
from eunoe.domain.generation import Generated, Question
from eunoe.wire.shape import Shape
from eunoe.wire.stream import UsageStatistics, usage


class GenerateRequest(Shape):
    prompt: Annotated[str, Field(min_length=1)]
    system_prompt: str | None = None
    override_model: str | None = None
    response_schema: dict[str, Any] | None = None

    @field_validator("prompt")
    @classmethod
    def _check_prompt(cls, given: str) -> str:
        if not given.strip():
            raise ValueError("The prompt is blank.")
        return given

    def question(self) -> Question:
        return Question(
            prompt=self.prompt,
            system=self.system_prompt,
            model=self.override_model,
            schema=self.response_schema,
        )


class GenerateResponse(TypedDict):
    content: str
    model: str
    usage: UsageStatistics


def answer_of(generated: Generated) -> GenerateResponse:
    used = Used(usage=generated.usage, step_count=1, context_tokens=None)
    return {"content": generated.text, "model": generated.model, "usage": usage(used)}
