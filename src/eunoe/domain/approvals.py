"""Calls that wait for an answer: how they are kept, who may answer, and what answers come to (4).

A reply some of whose calls need an answer is kept as an assistant message with the rest of it
and, right after, a request: an `approval` message with those calls. None of the calls runs
until the answers are there. They are an `approval` message without calls.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from eunoe.domain.alike import alike
from eunoe.domain.messages import Answer, ClientReturn, Decision, Image, Message, Text, ToolCall
from eunoe.domain.tool_rules import DENIED
from eunoe.domain.tools import ToolResult
from eunoe.domain.wellformed import json_object
from eunoe.errors import ApprovalEmpty, ApprovalIdsWrong, ClientReturnWanted
from eunoe.ids import request_id

CANCELLED: Final = "The user cancelled the run before this call was run."
PICTURE: Final = "[an image]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, and all `calls` of its reply in the order in which the model wrote them."""

    message: Message
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A request that was answered, and whose calls have not come back yet."""

    request: Request
    answers: tuple[Answer, ...]


def requested(
    reply: Message,
    calls: Sequence[ToolCall],
    *,
    gated_by: Callable[[ToolCall], bool],
    client: frozenset[str],
) -> tuple[Message, ...]:
    """Return the messages that keep `reply`, of whose `calls` those that are to wait do (H4).

    Where it says nothing and all its calls wait, the request is all there is.
    """
    asked = [(call, gated_by(call)) for call in calls]
    free = tuple(call for call, waits in asked if not waits)
    gated = tuple(replace(call, by_client=call.name in client) for call, waits in asked if waits)
    message_id = request_id(reply.id)
    request = replace(
        reply,
        id=message_id,
        otid=message_id,
        role="approval",
        content=(),
        calls=gated,
        order=tuple(call.id for call in calls) if free else (),
    )
    return (replace(reply, calls=free), request) if free or reply.content else (request,)


def pending(messages: Sequence[Message]) -> Request | None:
    """Return the request that stands last in a window, null where nothing waits (H22)."""
    if not messages or not asks(messages[-1]):
        return None
    return _request(messages, len(messages) - 1)


def due(messages: Sequence[Message]) -> Due | None:
    """Return the request near the end of a window that was answered and not acted upon yet.

    Behind the answers stands only what came with them. All returns are stored at once, so
    that a return, or a reply of the model, means that nothing is due.
    """
    answers: tuple[Answer, ...] = ()
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if answers and asks(message):
            return Due(request=_request(messages, at), answers=answers)
        if message.role == "approval" and message.approvals and not answers:
            answers = message.approvals
        elif answers or message.role in ("approval", "tool", "summary") or is_reply(message):
            return None
    return None


def unfed(messages: Sequence[Message], *, run_id: str) -> bool:
    """Whether something was said behind answers that the model has not replied to (FIX-3)."""
    said = False
    for message in reversed(messages):
        if message.run_id != run_id or is_reply(message):
            return False
        if message.role == "approval":
            return said
        said = said or message.step_id is None
    return False


def matched(request: Request, answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return `answers` if they are for all calls that wait and for no other (H8, H9, H10).

    A single call may be named by the id of its request. Raises `ApprovalEmpty`,
    `ApprovalIdsWrong`, and `ClientReturnWanted` where the client was to run the call (FIX-22).
    """
    if not answers:
        raise ApprovalEmpty
    waiting = {call.id: call for call in request.message.calls}
    answers = _resolved(answers, [request.message])
    given = {answer.call_id for answer in answers}
    if given != waiting.keys() or len(given) < len(answers):
        named = [answer.call_id for answer in answers]
        raise ApprovalIdsWrong(
            f"Invalid tool call IDs. Expected '{list(waiting)}', but received '{named}'."
        )
    for answer in answers:
        if isinstance(answer, Decision) and answer.approve and waiting[answer.call_id].by_client:
            raise ClientReturnWanted(
                f"`{waiting[answer.call_id].name}` runs on the client; answer the call "
                f"{answer.call_id} with its tool return, or deny it."
            )
    return tuple(answers)


def is_repeat(answers: Sequence[Answer], *, recent: Sequence[Message]) -> bool:
    """Whether `answers` have been given before, as far as the `recent` messages say (H24, H25)."""
    requests = [message for message in recent if asks(message)]
    given = {answer.call_id for answer in _resolved(answers, requests)}
    return any(
        given == {answer.call_id for answer in message.approvals}
        or given == {result.call_id for result in message.returns}
        for message in recent
        if message.approvals or message.returns
    )


def outcomes(answers: Sequence[Answer]) -> dict[str, ToolResult | None]:
    """Return what each answered call has come to, null for one that is to be run (H13, H14)."""
    return {answer.call_id: _outcome(answer) for answer in answers}


def _outcome(answer: Answer) -> ToolResult | None:
    match answer:
        case Decision(approve=True):
            return None
        case Decision(reason=reason):
            why = f" The reason given: {reason}" if reason else ""
            return ToolResult(ok=False, output=f"{DENIED} The user did not allow this call.{why}")
        case ClientReturn():
            return alike(ToolResult, answer)
        case _:
            assert_never(answer)


def refused(request: Request, *, reason: str) -> tuple[Answer, ...]:
    """Return answers that allow none of the calls that wait (H30)."""
    return tuple(
        Decision(call_id=call.id, approve=False, reason=reason) for call in request.message.calls
    )


def text_of_parts(parts: Sequence[Text | Image]) -> str:
    """Return the words of a return in parts, a mark for each picture (api 9.8)."""
    return "\n".join(part.text if isinstance(part, Text) else PICTURE for part in parts)


def capped(answer: Answer, *, limit: int) -> Answer:
    """Return `answer` with no text of a client longer than `limit` characters (H15)."""
    if isinstance(answer, Decision):
        return answer
    parts = tuple(
        replace(part, text=_cut(part.text, limit)) if isinstance(part, Text) else part
        for part in answer.parts
    )
    output = text_of_parts(parts) if parts else _cut_packaged(answer.output, limit)
    return replace(answer, output=output, parts=parts)


def _cut_packaged(text: str, limit: int) -> str:
    """Cut a text, of a packaged one only the message in it."""
    if len(text) <= limit:
        return text
    package = json_object(text)
    message = package.get("message")
    if not isinstance(message, str) or len(text) - len(message) > limit:
        return _cut(text, limit)
    return json.dumps(package | {"message": _cut(message, limit)}, ensure_ascii=False)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... [cut to fit: {len(text) - limit} characters are left out]"


def _resolved(answers: Sequence[Answer], requests: Sequence[Message]) -> Sequence[Answer]:
    """Return `answers` with the id of a request that has one call taken for that of the call."""
    only = {one.id: one.calls[0].id for one in requests if len(one.calls) == 1}
    if len(answers) != 1 or answers[0].call_id not in only:
        return answers
    return [replace(answers[0], call_id=only[answers[0].call_id])]


def _request(messages: Sequence[Message], at: int) -> Request:
    message = messages[at]
    free = messages[at - 1].calls if at > 0 and goes_on(messages[at - 1], message) else ()
    return Request(message=message, calls=in_order(free + message.calls, message.order))


def in_order(calls: Sequence[ToolCall], order: Sequence[str]) -> tuple[ToolCall, ...]:
    """Return `calls` as the ids in `order` say; without an order they stay."""
    place = {call_id: at for at, call_id in enumerate(order)}
    return tuple(sorted(calls, key=lambda call: place.get(call.id, len(order))))


def asks(message: Message) -> bool:
    """Whether a message holds calls that wait, or waited, for an answer."""
    return message.role == "approval" and bool(message.calls)


def goes_on(before: Message, message: Message) -> bool:
    """Whether a message asks for calls of the reply whose rest is the message `before` it."""
    return (
        asks(message)
        and before.role == "assistant"
        and message.step_id is not None
        and before.step_id == message.step_id
    )


def is_reply(message: Message) -> bool:
    """Whether a model said it: what a client says in its name has no step."""
    return message.role == "assistant" and (message.step_id is not None or bool(message.calls))
