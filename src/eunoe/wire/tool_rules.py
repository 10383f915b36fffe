"""Tool rules as a caller sends them; what passes is stored and answered as it is (api 6.11)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from eunoe.domain.messages import Json
from eunoe.wire.shape import Shape


class _Rule(Shape):
    tool_name: str
    prompt_template: str | None = None


class _RunFirst(_Rule):
    type: Literal["run_first"]
    args: dict[str, Any] | None = None


class _ArgNode(Shape):
    name: str
    args: dict[str, Any] | None = None


class _Child(_Rule):
    type: Literal["constrain_child_tools"]
    children: list[str]
    child_arg_nodes: list[_ArgNode] | None = None

    @model_validator(mode="after")
    def _nodes_are_children(self) -> "_Child":
        strangers = {node.name for node in self.child_arg_nodes or ()} - set(self.children)
        if strangers:
            named = ", ".join(sorted(strangers))
            raise ValueError(f"child_arg_nodes names tools that are not in children: {named}")
        return self


class _Parent(_Rule):
    type: Literal["parent_last_tool"]
    children: list[str]


class _Conditional(_Rule):
    type: Literal["conditional"]
    default_child: str | None = None
    child_output_mapping: Annotated[dict[str, str], Field(min_length=1)]
    require_output_mapping: bool = False


class _MaxCount(_Rule):
    type: Literal["max_count_per_step"]
    max_count_limit: int


class _Plain(_Rule):
    type: Literal["exit_loop", "continue_loop", "required_before_exit", "requires_approval"]


ToolRuleBody: TypeAlias = Annotated[
    _RunFirst | _Child | _Parent | _Conditional | _MaxCount | _Plain, Field(discriminator="type")
]


def stored(rules: Sequence[ToolRuleBody] | None) -> tuple[Json, ...] | None:
    """Return the rules as they are kept, every field present; null for null."""
    return None if rules is None else tuple(rule.model_dump() for rule in rules)
