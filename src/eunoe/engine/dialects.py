"""How an agent type speaks: what its model is offered, and what a reply of it means.

There is one loop; agents that answer in plain text and agents that answer through
a tool differ by the value that the loop is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from eunoe.domain.agents import AgentType
from eunoe.domain.messages import Message, ToolCall
from eunoe.domain.runs import StopReason
from eunoe.domain.tools import ToolSchema
from eunoe.engine.ports import ToolChoice
from eunoe.engine.tool_rules import Ruling
from eunoe.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Run these calls, then go on or stop as `Dialect.after` says."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """The turn ends here."""

    reason: StopReason


Verdict: TypeAlias = Act | Yield
Finish: TypeAlias = Literal["stop", "tool_calls", "length", "content_filter"]


class Dialect(Protocol):
    def offered(self, schemas: Sequence[ToolSchema]) -> tuple[ToolSchema, ...]:
        """Return the tools as the model sees them."""
        ...

    def choice(self, ruling: Ruling) -> ToolChoice: ...

    def judged(self, reply: Message, *, finish: Finish) -> Verdict:
        """Return what a whole reply asks for."""
        ...

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        """Return why the turn stops once `calls` have run, null when the model goes on."""
        ...


class PlainText:
    """Text is the answer, a tool call goes on (`letta_v1_agent`; L36, L47 to L49)."""

    def offered(self, schemas: Sequence[ToolSchema]) -> tuple[ToolSchema, ...]:
        return tuple(schemas)

    def choice(self, ruling: Ruling) -> ToolChoice:
        return ruling.choice

    def judged(self, reply: Message, *, finish: Finish) -> Verdict:
        if finish == "length":
            return Yield(reason="max_tokens_exceeded")
        if not reply.calls:
            return Yield(reason="end_turn")
        return Act(calls=reply.calls)

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        return "tool_rule" if ruling.ends(calls) else None


def dialect_of(agent_type: AgentType) -> Dialect:
    """Return how agents of this type speak; raise `Invalid` for one that is not served."""
    if agent_type == "letta_v1_agent":
        return PlainText()
    raise Invalid(
        f"Agents of type `{agent_type}` cannot run on this server yet; "
        "create the agent as `letta_v1_agent`.",
        agent_type=agent_type,
    )
