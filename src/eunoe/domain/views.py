"""What a client sees of a message list: one view for each thing said, thought, called or returned.

A stored message fans out into views (api 9.3); a streamed fragment is a view too,
with the id and otid of the part that it belongs to. Lists, blocking replies and
streams all show views, so they cannot disagree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, assert_never

from eunoe.domain.messages import (
    Answer,
    Image,
    Message,
    OmittedReasoning,
    Part,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
    ToolCall,
    ToolReturn,
    text_of,
)
from eunoe.ids import part_otid


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSaid:
    content: tuple[Part, ...]
    type: Literal["user"] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSaid:
    text: str
    type: Literal["system"] = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    text: str
    type: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    text: str
    signature: str | None = None
    native: bool = True
    type: Literal["thought"] = "thought"


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenThought:
    state: Literal["redacted", "omitted"]
    data: str | None = None
    type: Literal["hidden_thought"] = "hidden_thought"


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    calls: tuple[ToolCall, ...]
    type: Literal["called"] = "called"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFragment:
    """A piece of a call while it is being written; null fields say nothing new.

    `asks` says that the call will wait for an answer.
    """

    call_id: str
    name: str | None = None
    arguments: str | None = None
    asks: bool = False
    type: Literal["call_fragment"] = "call_fragment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Calls that wait for an answer."""

    calls: tuple[ToolCall, ...]
    type: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The answers to calls that waited."""

    answers: tuple[Answer, ...]
    type: Literal["decided"] = "decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    returns: tuple[ToolReturn, ...]
    type: Literal["returned"] = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarised:
    """A summary in place of evicted messages; `envelope` is the stored JSON text."""

    envelope: str
    type: Literal["summarised"] = "summarised"


Body: TypeAlias = (
    UserSaid
    | SystemSaid
    | Answered
    | Thought
    | HiddenThought
    | Called
    | CallFragment
    | Asked
    | Decided
    | Returned
    | Summarised
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    message_id: str
    otid: str | None
    at: datetime
    body: Body
    step_id: str | None = None
    run_id: str | None = None
    name: str | None = None
    sender_id: str | None = None
    is_err: bool = False


def views(message: Message) -> list[View]:
    """Return what a client sees of `message`, in order (api 9.3 to 9.8)."""
    match message.role:
        case "user":
            return [_view(message, UserSaid(content=message.content), otid=message.otid)]
        case "system":
            return [_view(message, SystemSaid(text=text_of(message)), otid=message.otid)]
        case "summary":
            return [_view(message, Summarised(envelope=text_of(message)), otid=message.otid)]
        case "approval" if message.approvals:
            return [_view(message, Decided(answers=message.approvals), otid=message.otid)]
        case "approval" if message.calls:
            parts = _parts(message)
            return [*parts, _view(message, Asked(calls=message.calls), otid=message.otid)]
        case "assistant" | "tool" | "approval":
            return _parts(message)
        case _:
            assert_never(message.role)


def _parts(message: Message) -> list[View]:
    return [
        _view(message, body, otid=part_otid(message.id, part))
        for part, body in enumerate(_bodies(message))
    ]


def _view(message: Message, body: Body, *, otid: str | None) -> View:
    return View(
        message_id=message.id,
        otid=otid,
        at=message.created_at,
        body=body,
        step_id=message.step_id,
        run_id=message.run_id,
        name=message.name,
        sender_id=message.sender_id,
        is_err=message.is_err,
    )


def _bodies(message: Message) -> Iterator[Body]:
    yield from _said(message.content)
    for call in message.calls:
        if call.thinking:
            yield Thought(text=call.thinking, native=False)
    if message.calls and message.role != "approval":
        yield Called(calls=message.calls)
    if message.returns:
        yield Returned(returns=message.returns)


def _said(content: Sequence[Part]) -> Iterator[Body]:
    """Yield what is said and thought, texts side by side as one."""
    texts: list[str] = []
    for part in content:
        if isinstance(part, Text):
            if part.text:
                texts.append(part.text)
            continue
        body = _thought(part)
        if body is None:
            continue
        if texts:
            yield Answered(text="\n\n".join(texts))
            texts = []
        yield body
    if texts:
        yield Answered(text="\n\n".join(texts))


def _thought(
    part: Image | Reasoning | RedactedReasoning | OmittedReasoning | SummarizedReasoning,
) -> Thought | HiddenThought | None:
    match part:
        case Reasoning(text=text, signature=signature, native=native):
            return Thought(text=text, signature=signature, native=native)
        case SummarizedReasoning(summary=summary, encrypted=encrypted):
            if not summary:
                return None
            return Thought(text="\n\n".join(summary), signature=encrypted)
        case RedactedReasoning(data=data):
            return HiddenThought(state="redacted", data=data)
        case OmittedReasoning():
            return HiddenThought(state="omitted")
        case Image():
            return None
        case _:
            assert_never(part)
