"""Messages as the wire shows them: the shapes, and how a view becomes one (api 9)."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never

from typing_extensions import TypedDict

from eunoe.domain.agents import PLAIN_TEXT, AgentType
from eunoe.domain.heartbeats import MESSAGE, SEND_MESSAGE
from eunoe.domain.messages import Json, Message, ToolCall, ToolReturn, words_of
from eunoe.domain.runs import RunOptions
from eunoe.domain.sieve import value_of
from eunoe.domain.views import (
    Answered,
    Asked,
    Called,
    CallFragment,
    Decided,
    HiddenThought,
    Returned,
    Summarised,
    SystemSaid,
    Thought,
    UserSaid,
    View,
    views,
)
from eunoe.domain.wellformed import json_object
from eunoe.ids import part_otid
from eunoe.wire.approvals import WireDecision, WireToolReturn, shown_answers, shown_return
from eunoe.wire.content import shown_content
from eunoe.wire.times import message_date

MessageType: TypeAlias = Literal[
    "system_message", "user_message", "assistant_message", "reasoning_message",
    "hidden_reasoning_message", "tool_call_message", "tool_return_message",
    "approval_request_message", "approval_response_message", "summary_message", "event_message",
]  # fmt: skip
_PART_BITS: Final = 127


class MessageFields(TypedDict):
    id: str
    date: str
    name: str | None
    otid: str | None
    sender_id: str | None
    step_id: str | None
    is_err: bool | None
    seq_id: int | None
    run_id: str | None


class SystemMessage(MessageFields):
    message_type: Literal["system_message"]
    content: str


class UserMessage(MessageFields):
    message_type: Literal["user_message"]
    content: str | list[Json]


class AssistantMessage(MessageFields):
    message_type: Literal["assistant_message"]
    content: str | list[Json]


class ReasoningMessage(MessageFields):
    message_type: Literal["reasoning_message"]
    source: Literal["reasoner_model", "non_reasoner_model"]
    reasoning: str
    signature: str | None


class HiddenReasoningMessage(MessageFields):
    message_type: Literal["hidden_reasoning_message"]
    state: Literal["redacted", "omitted"]
    hidden_reasoning: str | None


class WireToolCall(TypedDict):
    name: str
    arguments: str
    tool_call_id: str


class ToolCallDelta(TypedDict, total=False):
    name: str
    arguments: str
    tool_call_id: str


class ToolCallMessage(MessageFields):
    message_type: Literal["tool_call_message"]
    tool_call: WireToolCall | ToolCallDelta
    tool_calls: list[WireToolCall] | ToolCallDelta


class ApprovalRequestMessage(MessageFields):
    message_type: Literal["approval_request_message"]
    tool_call: WireToolCall | ToolCallDelta
    tool_calls: list[WireToolCall] | ToolCallDelta


class ApprovalResponseMessage(MessageFields):
    message_type: Literal["approval_response_message"]
    approvals: list[WireDecision | WireToolReturn]
    approve: bool | None
    approval_request_id: str | None
    reason: str | None


class ToolReturnMessage(MessageFields):
    message_type: Literal["tool_return_message"]
    tool_return: str
    status: Literal["success", "error"]
    tool_call_id: str
    stdout: list[str] | None
    stderr: list[str] | None
    tool_returns: list[WireToolReturn]


class SummaryMessage(MessageFields):
    message_type: Literal["summary_message"]
    summary: str
    compaction_stats: Json | None


class EventMessage(MessageFields):
    message_type: Literal["event_message"]
    event_type: Literal["compaction"]
    event_data: Json


WireMessage: TypeAlias = (
    SystemMessage
    | UserMessage
    | AssistantMessage
    | ReasoningMessage
    | HiddenReasoningMessage
    | ToolCallMessage
    | ToolReturnMessage
    | ApprovalRequestMessage
    | ApprovalResponseMessage
    | SummaryMessage
    | EventMessage
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """How a caller wants messages shown.

    `speech` is the tool (name, argument) whose calls are shown as what the agent
    says; null where the agent speaks in text (api 9.5). `summaries` shows a
    compaction as such rather than as the envelope it is stored in (api 9.12).
    """

    types: frozenset[str] | None = None
    speech: tuple[str, str] | None = None
    summaries: bool = False

    def admits(self, message_type: str) -> bool:
        """Whether the caller wants this type; a summary asked for is never filtered out."""
        if self.types is None or message_type in self.types:
            return True
        return self.summaries and message_type in ("summary_message", "event_message")


def lens_of(options: RunOptions, *, agent_type: AgentType | None) -> Lens:
    """Return how the answer of a run is shown.

    An unknown agent type counts as one that uses the message tool.
    """
    speaks_in_text = agent_type in PLAIN_TEXT
    return Lens(
        types=None if options.return_types is None else frozenset(options.return_types),
        speech=(options.assistant_message_tool_name, options.assistant_message_tool_kwarg)
        if options.use_assistant_message and not speaks_in_text
        else None,
        summaries=options.include_compaction,
    )


def listed_lens(
    *,
    agent_type: AgentType | None,
    types: Sequence[str] | None = None,
    speech: tuple[str, str] | None = (SEND_MESSAGE, MESSAGE),
) -> Lens:
    """Return how a list of an agent's messages is shown (api 8.14)."""
    return Lens(
        types=None if types is None else frozenset(types),
        speech=None if agent_type in PLAIN_TEXT else speech,
    )


def shown(message: Message, lens: Lens) -> list[Json]:
    """Return what a client sees of one stored message, in natural order (api 9.3)."""
    return [body for view in views(message) for body in bodies(view, lens)]


def bodies(view: View, lens: Lens, *, seq: int | None = None) -> Iterator[Json]:
    """Yield the wire messages of one view that `lens` admits.

    Several where calls of the message tool stand between others.
    """
    for body in _fan_out(view, lens):
        if lens.admits(body["message_type"]):
            body["seq_id"] = seq
            yield body


def _fan_out(view: View, lens: Lens) -> Iterator[Json]:
    match view.body:
        case Called(calls=calls) if lens.speech is not None:
            yield from _spoken(view, calls, speech=lens.speech)
        case Returned(returns=returns):
            heard = _heard(returns, lens)
            if heard:
                yield _returned(view, heard)
        case Summarised(envelope=envelope) if lens.summaries:
            yield _summary(view, envelope)
        case _:
            yield _body(view)


def _body(view: View) -> Json:
    body = _common(view)
    match view.body:
        case Answered(text=text):
            body.update(message_type="assistant_message", content=text)
        case Thought(text=text, signature=signature, native=native):
            body.update(
                message_type="reasoning_message",
                source="reasoner_model" if native else "non_reasoner_model",
                reasoning=text,
                signature=signature,
            )
        case HiddenThought(state=state, data=data):
            body.update(message_type="hidden_reasoning_message", state=state, hidden_reasoning=data)
        case Called() | Asked() | CallFragment() as calling:
            body.update(_calling(calling))
        case Decided(answers=answers):
            body.update(shown_answers(answers))
        case Returned(returns=returns):
            return _returned(view, returns)
        case UserSaid(content=content):
            body.update(message_type="user_message", content=shown_content(content))
        case SystemSaid(text=text):
            body.update(message_type="system_message", content=text)
        case Summarised(envelope=envelope):
            body.update(message_type="user_message", content=envelope)
        case _:
            assert_never(view.body)
    return body


def _common(view: View) -> Json:
    return {
        "id": view.message_id,
        "date": message_date(view.at),
        "name": view.name,
        "message_type": None,
        "otid": view.otid,
        "sender_id": view.sender_id,
        "step_id": view.step_id,
        "is_err": view.is_err or None,
        "seq_id": None,
        "run_id": view.run_id,
    }


def _calling(body: Called | Asked | CallFragment) -> Json:
    """Return calls that were made, that wait for an answer, or a piece of one of either."""
    asks = isinstance(body, Asked) or (isinstance(body, CallFragment) and body.asks)
    made = {"message_type": "approval_request_message" if asks else "tool_call_message"}
    if isinstance(body, CallFragment):
        delta = _delta(body)
        return {**made, "tool_call": delta, "tool_calls": delta}
    calls: list[WireToolCall] = [
        {"name": call.name, "arguments": call.arguments, "tool_call_id": call.id}
        for call in body.calls
    ]
    return {**made, "tool_call": calls[0], "tool_calls": calls}


def _delta(fragment: CallFragment) -> ToolCallDelta:
    """Return a piece of a call, what it says nothing of left out (streaming 2.9)."""
    delta: ToolCallDelta = {}
    if fragment.name is not None:
        delta["name"] = fragment.name
    if fragment.arguments is not None:
        delta["arguments"] = fragment.arguments
    delta["tool_call_id"] = fragment.call_id
    return delta


def _spoken(view: View, calls: Sequence[ToolCall], *, speech: tuple[str, str]) -> Iterator[Json]:
    """Yield calls of the message tool as what they say, the others between them as calls.

    Each is a part of its own and so has the next otid (api 9.4, 9.5).
    """
    part = _part_index(view.otid)

    def common() -> Json:
        nonlocal part
        body = _common(view)
        if part is not None:
            body["otid"] = part_otid(view.message_id, part)
            part += 1
        return body

    waiting: list[ToolCall] = []
    for call in calls:
        if call.name != speech[0]:
            waiting.append(call)
            continue
        if waiting:
            yield {**common(), **_calling(Called(calls=tuple(waiting)))}
            waiting = []
        text = value_of(call.arguments, speech[1])
        if text:
            yield {**common(), "message_type": "assistant_message", "content": text}
    if waiting:
        yield {**common(), **_calling(Called(calls=tuple(waiting)))}


def _part_index(otid: str | None) -> int | None:
    """Return which part of its message an otid names, null where it names none."""
    try:
        return None if otid is None else uuid.UUID(otid).int & _PART_BITS
    except ValueError:
        return None


def _heard(returns: Sequence[ToolReturn], lens: Lens) -> list[ToolReturn]:
    """Return the tool returns to show: what a spoken call came to says nothing (api 9.5)."""
    if lens.speech is None:
        return list(returns)
    return [one for one in returns if one.name != lens.speech[0]]


def _returned(view: View, returns: Sequence[ToolReturn]) -> Json:
    made = [shown_return(one) for one in returns]
    first = made[0]
    return {
        **_common(view),
        "message_type": "tool_return_message",
        "name": view.name or returns[0].name,
        "tool_return": words_of(returns[0].output),
        "status": first["status"],
        "tool_call_id": first["tool_call_id"],
        "stdout": first["stdout"],
        "stderr": first["stderr"],
        "tool_returns": made,
    }


def _summary(view: View, envelope: str) -> Json:
    stored = json_object(envelope)
    return {
        **_common(view),
        "message_type": "summary_message",
        "summary": str(stored.get("message", envelope)),
        "compaction_stats": stored.get("compaction_stats"),
    }
