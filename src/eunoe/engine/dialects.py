"""How an agent type speaks: what its model is offered, and what a reply of it means.

There is one loop; agents that answer in plain text and agents that answer through
a tool differ by the value that the loop is given.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from eunoe.domain.agents import PLAIN_TEXT, Agent
from eunoe.domain.events import FinishReason
from eunoe.domain.heartbeats import (
    SEND_MESSAGE,
    Aftermath,
    Situation,
    aftermath,
    formed,
    with_heartbeat,
)
from eunoe.domain.messages import Json, Message, ToolCall, ToolReturn
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import RunOptions, StopReason
from eunoe.domain.spoken import as_sent, as_spoken
from eunoe.domain.tool_rules import named
from eunoe.domain.tools import ToolSchema
from eunoe.engine.hearing import Hearing
from eunoe.engine.ports import Follow, ToolChoice
from eunoe.engine.tool_rules import Ruling
from eunoe.errors import ModelCalledNothing, ModelError

_ANSWER: Final = "The tool is done. Tell the person now, in words to be spoken, what came of it."


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The calls of a step; `refused` are the ids of those that were not run."""

    calls: Sequence[ToolCall]
    refused: Collection[str]
    ruling: Ruling
    last_step: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How an agent speaks: as it stands here text is the answer, and a tool call goes on.

    That is what `letta_v1_agent` and `sleeptime_agent` do (L36, L47).
    """

    parallel: bool = True
    """Whether a reply may hold several calls."""
    heartbeats: bool = False
    """Whether each reply must call, and the agent goes on by heartbeats."""

    @property
    def words_of_thought(self) -> bool:
        """Whether thoughts are wanted as words, no argument taking them."""
        return False

    def hearing(self, options: RunOptions) -> Hearing | None:
        """Return how calls are read where they also speak to the loop or the user, else null."""
        return None

    def offered(self, ruling: Ruling) -> tuple[ToolSchema, ...]:
        """Return the tools as the model sees them."""
        return ruling.tools

    def choice(self, ruling: Ruling) -> ToolChoice:
        return ruling.choice

    def retold(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Return a conversation as the model is to remember it."""
        return messages

    def taken(self, reply: Message, *, finish: FinishReason) -> Message:
        """Return a whole reply as it is stored."""
        return reply

    def judged(self, reply: Message, *, finish: FinishReason) -> Verdict:
        """Return what a whole reply asks for."""
        if finish == "length":
            return Yield(reason="max_tokens_exceeded")
        return Act(calls=reply.calls) if reply.calls else Yield(reason="end_turn")

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        """Return why the turn stops once `calls` have run, null when the model goes on."""
        return "tool_rule" if ruling.ends(calls) else None

    def follow(self, made: Made) -> Follow | None:
        """Return what decides how it goes on by what calls came to, null where that is all one."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeats(Dialect):
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

    def judged(self, reply: Message, *, finish: FinishReason) -> Verdict:
        if finish != "length" and not reply.calls:
            return Fail(error=ModelCalledNothing())
        return Dialect.judged(self, reply, finish=finish)

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        return None

    def follow(self, made: Made) -> Follow | None:
        return _woken(made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aloud(Dialect):
    """How a voice agent speaks when it is spoken to: text is the answer, as it comes (G23).

    It is woken after each tool it calls. `sends` is whether it has the tool that it speaks
    through elsewhere.
    """

    sends: bool
    parallel: bool = False

    def offered(self, ruling: Ruling) -> tuple[ToolSchema, ...]:
        return tuple(tool for tool in ruling.tools if tool.name != SEND_MESSAGE)

    def choice(self, ruling: Ruling) -> ToolChoice:
        return ruling.choice if self.offered(ruling) else ToolChoice()

    def retold(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return as_spoken(messages)

    def taken(self, reply: Message, *, finish: FinishReason) -> Message:
        return as_sent(reply) if self.sends and finish != "length" else reply

    def after(self, calls: Sequence[ToolCall], *, ruling: Ruling) -> StopReason | None:
        return None

    def follow(self, made: Made) -> Follow | None:
        decide = _woken(made)

        def followed(returns: Sequence[ToolReturn]) -> Aftermath:
            after = decide(returns)
            return replace(after, told=_ANSWER) if after.stop is None and after.ok else after

        return followed


def _woken(made: Made) -> Follow:
    """Return what decides whether the agent is woken after its calls."""
    ran = [call.name for call in made.calls if call.id not in made.refused]
    rules = made.ruling.rules
    situation = Situation(
        rules=rules,
        refused=made.refused,
        unmet=made.ruling.unmet(ran) if rules else (),
        last_step=made.last_step,
    )

    def followed(returns: Sequence[ToolReturn]) -> Aftermath:
        return aftermath(made.calls, returns, situation)

    return followed


def dialect_of(agent: Agent, config: ModelConfig) -> Dialect:
    """Return how the agent speaks through the model of `config` (A1)."""
    if agent.agent_type in PLAIN_TEXT:
        return Dialect()
    return Heartbeats(
        thinking=config.put_inner_thoughts_in_kwargs, response_format=agent.response_format
    )
