"""A model's reply while it comes in: what to show of each event, and the message in the end."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, assert_never

from eunoe.domain.events import (
    CallDelta,
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    ReasoningHidden,
    ReasoningSummary,
    SummaryDelta,
    TextDelta,
    TokensTold,
    UsageReported,
)
from eunoe.domain.messages import (
    Message,
    OmittedReasoning,
    Part,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
    ToolCall,
)
from eunoe.domain.runs import Usage
from eunoe.domain.tokens import Tokens
from eunoe.domain.views import Answered, Body, CallFragment, HiddenThought, Thought
from eunoe.engine.hearing import NO_ARGUMENTS, HeardCall, Hearing
from eunoe.errors import ModelReplyEmpty, ModelReplyInvalid

_NAMELESS: Final = "A tool call came without its id and name."


@dataclass(slots=True, kw_only=True)
class _Call:
    id: str
    name: str
    part: int
    arguments: list[str]

    @property
    def is_blank(self) -> bool:
        return not "".join(self.arguments).strip()

    def rounded(self) -> CallFragment:
        """Give a whole call without arguments an object of none, so that it can be read (2.9)."""
        self.arguments.append(NO_ARGUMENTS)
        return CallFragment(call_id=self.id, arguments=NO_ARGUMENTS)


@dataclass(slots=True)
class Reply:
    """Collects one reply. `part` is the index of what was shown last (streaming 2.5.3).

    With a `hearing` it is one of the heartbeat loop: all text is thought, there is one call
    (L59), and the reply ends with it. Without `parallel` calls the first is the only one (L35).
    """

    hearing: Hearing | None = None
    parallel: bool = True
    part: int = -1
    usage: Usage | None = None
    tokens: Tokens | None = None
    finish: FinishReason | None = None
    _parts: list[Part] = field(default_factory=list[Part])
    _calls: dict[int, _Call] = field(default_factory=dict[int, _Call])
    _open: Literal["text", "reasoning", "summary"] | None = None
    _fragments: list[str] = field(default_factory=list[str])
    _native: bool = True
    _last: Literal["text", "reasoning", "hidden", "calls", "thinking"] | None = None
    _heard: HeardCall | None = None
    _heard_index: int = 0

    def take(self, event: ModelEvent) -> Sequence[tuple[int, Body]]:
        """Add `event`; return what a client that streams tokens sees of it, each with its part."""
        if self.hearing is not None:
            return self._hear(event, self.hearing)
        body = self._taken(event)
        if isinstance(event, Finished):
            return [(call.part, call.rounded()) for call in self._calls.values() if call.is_blank]
        return () if body is None else ((self.part, body),)

    def _hear(self, event: ModelEvent, hearing: Hearing) -> Sequence[tuple[int, Body]]:
        match event:
            case CallDelta():
                return self._placed(self._hear_call(event, hearing))
            case Finished() if self._heard is not None:
                self._taken(event)
                return self._placed(self._heard.end())
            case UsageReported() | TokensTold() | Finished():
                body = self._taken(event)
            case _ if self._heard is not None:
                body = None  # What comes behind the call has no place in the message.
            case TextDelta(text=text):
                body = self._reasoning(ReasoningDelta(text=text, native=False)) if text else None
            case _:
                body = self._taken(event)
        return () if body is None else ((self.part, body),)

    def _hear_call(self, event: CallDelta, hearing: Hearing) -> Sequence[Body]:
        self._close()
        if self._heard is None:
            if event.id is None or event.name is None:
                raise ModelReplyInvalid(_NAMELESS)
            self._heard = HeardCall(id=event.id, name=event.name, hearing=hearing)
            self._heard_index = event.index
        return self._heard.take(event.arguments) if event.index == self._heard_index else ()

    def _placed(self, bodies: Sequence[Body]) -> Sequence[tuple[int, Body]]:
        placed: list[tuple[int, Body]] = []
        for body in bodies:
            kind = "thinking" if isinstance(body, Thought) else "calls"
            self._shows(kind, new=self._last != kind)
            placed.append((self.part, body))
        return placed

    def _taken(self, event: ModelEvent) -> Body | None:
        match event:
            case TextDelta(text=text, signature=signature):
                return self._text(text, signature)
            case ReasoningDelta():
                return self._reasoning(event)
            case ReasoningHidden():
                return self._hidden(event)
            case SummaryDelta() | ReasoningSummary():
                return self._summary(event)
            case CallDelta():
                return self._call(event)
            case UsageReported(usage=usage):
                self.usage = usage
            case TokensTold(tokens=tokens):
                self.tokens = tokens
            case Finished(reason=reason):
                self.finish = reason
            case _:
                assert_never(event)
        return None

    def message(
        self, *, message_id: str, agent_id: str, model: str, at: datetime, with_calls: bool = True
    ) -> Message | None:
        """Return what came in as an assistant message, null when it is nothing at all."""
        self._close()
        content = tuple(
            part
            for part in self._parts
            if not isinstance(part, Text) or part.text or part.signature
        )
        calls = self.calls if with_calls else ()
        if self._heard is not None and not with_calls:
            content += _half_said(self._heard)
        if not content and not calls:
            return None
        return Message(
            id=message_id,
            role="assistant",
            agent_id=agent_id,
            content=content,
            calls=calls,
            model=model,
            created_at=at,
        )

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls in the order in which the model wrote them."""
        if self._heard is not None:
            return (self._heard.call(),)
        return tuple(
            ToolCall(id=call.id, name=call.name, arguments="".join(call.arguments))
            for _, call in sorted(self._calls.items())
        )

    def check(self) -> None:
        """Raise unless the reply is whole and says something (L36, P40)."""
        if self.finish is None:
            raise ModelReplyInvalid("The model's adapter ended without a finish reason.")
        self._close()
        if not self.calls and self.finish != "length" and not any(map(_says, self._parts)):
            raise ModelReplyEmpty

    def _text(self, text: str, signature: str | None) -> Answered | None:
        if not text and signature is None:
            return None
        gap = ""
        if self._open != "text":
            self._close()
            self._open = "text"
            # Texts side by side are shown as one, with a blank line between (FIX-71).
            gap = "\n\n" if self._last == "text" else ""
        if text:
            self._shows("text", new=self._last != "text")
            self._fragments.append(text)
        if signature is not None:
            self._close(signature=signature)
        return Answered(text=gap + text) if text else None

    def _reasoning(self, event: ReasoningDelta) -> Thought | None:
        if self._open != "reasoning" or self._native is not event.native:
            self._close()
            self._open = "reasoning"
            self._native = event.native
            self._shows("reasoning", new=True)
        self._fragments.append(event.text)
        if event.signature is not None:
            self._close(signature=event.signature)
        return Thought(text=event.text, native=event.native) if event.text else None

    def _hidden(self, event: ReasoningHidden) -> HiddenThought:
        match event.state:
            case "redacted":
                self._whole(RedactedReasoning(data=event.data or ""))
                return HiddenThought(state="redacted", data=event.data)
            case "omitted":
                self._whole(OmittedReasoning(signature=event.data))
                return HiddenThought(state="omitted")

    def _summary(self, event: SummaryDelta | ReasoningSummary) -> Thought | None:
        if isinstance(event, SummaryDelta):
            if self._open != "summary":
                self._close()
                self._open, self._native = "summary", True
                self._shows("reasoning", new=True)
            self._fragments.append(event.text)
            return Thought(text=event.text)
        part = SummarizedReasoning(id=event.id, summary=event.summary, encrypted=event.encrypted)
        if self._open == "summary":
            # Its text was shown as it came.
            self._open, self._fragments = None, []
            self._parts.append(part)
            return None
        self._whole(part, shown=bool(event.summary))
        text = "\n\n".join(event.summary)
        return Thought(text=text, signature=event.encrypted) if event.summary else None

    def _call(self, event: CallDelta) -> CallFragment | None:
        self._close()
        call = self._calls.get(event.index)
        if call is None:
            if self._calls and not self.parallel:
                return None
            if event.id is None or event.name is None:
                raise ModelReplyInvalid(_NAMELESS)
            own = self._own_id(event.id)
            self._shows("calls", new=self._last != "calls")
            call = _Call(id=own, name=event.name, part=self.part, arguments=[event.arguments])
            self._calls[event.index] = call
            return CallFragment(call_id=call.id, name=call.name, arguments=event.arguments or None)
        call.arguments.append(event.arguments)
        if not event.arguments:
            return None
        return CallFragment(call_id=call.id, arguments=event.arguments)

    def _own_id(self, given: str) -> str:
        """Return an id that no other call of the reply has: models repeat them, and it decides."""
        taken = {call.id for call in self._calls.values()}
        numbered = (f"{given}-{number}" for number in itertools.count(2))
        return given if given not in taken else next(one for one in numbered if one not in taken)

    def _whole(self, part: Part, *, shown: bool = True) -> None:
        self._close()
        self._parts.append(part)
        if shown:
            self._shows("hidden", new=True)

    def _shows(
        self, kind: Literal["text", "reasoning", "hidden", "calls", "thinking"], *, new: bool
    ) -> None:
        if new:
            self.part += 1
        self._last = kind

    def _close(self, *, signature: str | None = None) -> None:
        text = "".join(self._fragments)
        match self._open:
            case "text":
                self._parts.append(Text(text=text, signature=signature))
            case "reasoning" | "summary":
                self._parts.append(Reasoning(text=text, signature=signature, native=self._native))
            case None:
                return
        self._open = None
        self._fragments = []


def _says(part: Part) -> bool:
    """Whether a part says something, be it to oneself; what is hidden tells nobody anything."""
    match part:
        case Text(text=text):
            return bool(text)
        case Reasoning(text=text):
            return bool(text.strip())
        case SummarizedReasoning(summary=summary):
            return bool(summary)
        case _:
            return False


def _half_said(call: HeardCall) -> tuple[Part, ...]:
    """Return what was shown of a call that is not whole: its thought, and what it had said."""
    thought = (Reasoning(text=call.thought, native=False),) if call.thought else ()
    return (*thought, *((Text(text=call.speech),) if call.speech else ()))
