"""How a voice agent speaks when it is spoken to: text is the answer, as it comes (G23)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from eunoe.domain.heartbeats import SEND_MESSAGE, Aftermath
from eunoe.domain.messages import Message, ToolCall, ToolReturn
from eunoe.domain.runs import RunOptions, StopReason
from eunoe.domain.spoken import as_sent, as_spoken
from eunoe.domain.tools import ToolSchema
from eunoe.engine.dialects import Act, Finish, Heartbeats, Verdict, Yield
from eunoe.engine.hearing import Hearing
from eunoe.engine.ports import Follow, ToolChoice
from eunoe.engine.tool_rules import Ruling

_ANSWER: Final = "The tool is done. Tell the person now, in words to be spoken, what came of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Aloud(Heartbeats):
    """The heartbeat loop as seen by a model that speaks: it is woken after each tool it calls.

    `sends` is whether the agent has the tool that it speaks through elsewhere.
    """

    sends: bool
    thinking: bool = False
    heartbeats: bool = False

    @property
    def words_of_thought(self) -> bool:
        return False

    def hearing(self, options: RunOptions) -> Hearing | None:
        return None

    def offered(self, ruling: Ruling) -> tuple[ToolSchema, ...]:
        return tuple(tool for tool in ruling.tools if tool.name != SEND_MESSAGE)

    def choice(self, ruling: Ruling) -> ToolChoice:
        return ruling.choice if self.offered(ruling) else ToolChoice()

    def retold(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return as_spoken(messages)

    def taken(self, reply: Message, *, finish: Finish) -> Message:
        return as_sent(reply) if self.sends and finish != "length" else reply

    def judged(self, reply: Message, *, finish: Finish) -> Verdict:
        if finish == "length":
            return Yield(reason="max_tokens_exceeded")
        return Act(calls=reply.calls) if reply.calls else Yield(reason="end_turn")

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
        decide = Heartbeats.follow(self, calls, refused=refused, ruling=ruling, last_step=last_step)

        def followed(returns: Sequence[ToolReturn]) -> Aftermath:
            after = decide(returns) if decide is not None else Aftermath()
            return replace(after, told=_ANSWER) if after.stop is None and after.ok else after

        return followed
