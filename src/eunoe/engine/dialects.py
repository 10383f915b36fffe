"""How an agent type speaks: what its model is offered, and what a reply of it means.

There is one loop; agents that answer in plain text and agents that answer through
a tool differ by the value that the loop is given.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from eunoe.domain.agents import PLAIN_TEXT, Agent
from eunoe.domain.heartbeats import Aftermath, Situation, aftermath, formed, with_heartbeat
from eunoe.domain.messages import Json, Message, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import RunOptions, StopReason
from eunoe.domain.tool_rules import named
from eunoe.domain.tools import ToolSchema
from eunoe.engine.hearing import Hearing
from eunoe.engine.ports import Follow, ToolChoice
from eunoe.engine.tool_rules import Ruling
from eunoe.errors import ModelCalledNothing, ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Run these calls, then go on or stop as `Dialect.after` says."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """The turn ends here."""

    reason: StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """The reply cannot be used, and the run fails with it."""

    error: ModelError


Verdict: TypeAlias = Act | Yield | Fail
Finish: TypeAlias = Literal["stop", "tool_calls", "length", "content_filter"]


class Dialect(Protocol):
    @property
    def parallel(self) -> bool:
        """Whether a reply may hold several calls."""
        ...

    @property
    def heartbeats(self) -> bool:
        """Whether each reply must call, and the agent goes on by heartbeats."""
        ...

    @property
    def words_of_thought(self) -> bool:
        """Whether thoughts are wanted as words, no argument taking them."""
        ...

    def hearing(self, options: RunOptions) -> Hearing | None:
        """Return how calls are read where they also speak to the loop or the user, else null."""
        ...

    def offered(self, ruling: Ruling) -> tuple[ToolSchema, ...]:
        """Return the tools as the model sees them."""
        ...

    def choice(self, ruling: Ruling) -> ToolChoice: ...

    def retold(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Return a conversation as the model is to remember it."""
        ...

    def taken(self, reply: Message, *, finish: Finish) -> Message:
        """Return a whole reply as it is stored."""
        ...

    def judged(self, reply: Message, *, finish: Finish) -> Verdict:
        """Return what a whole reply asks for."""
        ...

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        """Return why the turn stops once `calls` have run, null when the model goes on."""
        ...

    def follow(
        self,
        calls: Sequence[ToolCall],
        *,
        refused: Collection[str],
        ruling: Ruling,
        last_step: bool,
    ) -> Follow | None:
        """Return what decides how it goes on by what `calls` came to, null where that is all one.

        `refused` are the ids of those that were not run.
        """
        ...


class PlainText:
    """Text is the answer, a tool call goes on (`letta_v1_agent`, `sleeptime_agent`; L36, L47)."""

    parallel = True
    heartbeats = False
    words_of_thought = False

    def hearing(self, options: RunOptions) -> Hearing | None:
        return None

    def offered(self, ruling: Ruling) -> tuple[ToolSchema, ...]:
        return ruling.tools

    def choice(self, ruling: Ruling) -> ToolChoice:
        return ruling.choice

    def retold(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return messages

    def taken(self, reply: Message, *, finish: Finish) -> Message:
        return reply

    def judged(self, reply: Message, *, finish: Finish) -> Verdict:
        if finish == "length":
            return Yield(reason="max_tokens_exceeded")
        if not reply.calls:
            return Yield(reason="end_turn")
        return Act(calls=reply.calls)

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        return "tool_rule" if ruling.ends(calls) else None

    def follow(
        self,
        calls: Sequence[ToolCall],
        *,
        refused: Collection[str],
        ruling: Ruling,
        last_step: bool,
    ) -> Follow | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeats:
    """One call a step, that says whether another is wanted (L53 to L60).

    `thinking` is whether the model is asked for its thoughts as an argument, `response_format`
    what a message to the user is to look like.
    """

    thinking: bool
    response_format: Json | None = None
    parallel: bool = False
    heartbeats: bool = True

    @property
    def words_of_thought(self) -> bool:
        return not self.thinking

    def hearing(self, options: RunOptions) -> Hearing | None:
        speech = (options.assistant_message_tool_name, options.assistant_message_tool_kwarg)
        return Hearing(
            speech=speech if options.use_assistant_message else None, thinking=self.thinking
        )

    def offered(self, ruling: Ruling) -> tuple[ToolSchema, ...]:
        ending = named(ruling.rules, "exit_loop")
        return tuple(
            with_heartbeat(
                formed(tool, self.response_format),
                terminal=tool.name in ending,
                thinking=self.thinking,
            )
            for tool in ruling.tools
        )

    def choice(self, ruling: Ruling) -> ToolChoice:
        return replace(ruling, forced=True).choice

    def retold(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return messages

    def taken(self, reply: Message, *, finish: Finish) -> Message:
        return reply

    def judged(self, reply: Message, *, finish: Finish) -> Verdict:
        if finish == "length":
            return Yield(reason="max_tokens_exceeded")
        if not reply.calls:
            return Fail(error=ModelCalledNothing())
        return Act(calls=reply.calls)

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        return None

    def follow(
        self,
        calls: Sequence[ToolCall],
        *,
        refused: Collection[str],
        ruling: Ruling,
        last_step: bool,
    ) -> Follow | None:
        ran = [call.name for call in calls if call.id not in refused]
        situation = Situation(
            rules=ruling.rules,
            refused=refused,
            unmet=ruling.unmet(ran) if ruling.rules else (),
            last_step=last_step,
        )

        def followed(returns: Sequence[ToolReturn]) -> Aftermath:
            return aftermath(calls, returns, situation)

        return followed


def dialect_of(agent: Agent, config: ModelConfig) -> Dialect:
    """Return how the agent speaks through the model of `config` (A1)."""
    if agent.agent_type in PLAIN_TEXT:
        return PlainText()
    return Heartbeats(
        thinking=config.put_inner_thoughts_in_kwargs, response_format=agent.response_format
    )
