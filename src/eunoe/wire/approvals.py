"""Answers to calls that wait, as a client sends them and as it sees them (api 8.1, 9)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias, assert_never, cast

from pydantic import Field, Tag, field_validator
from typing_extensions import TypedDict

from eunoe.domain import messages
from eunoe.domain.approvals import text_of_parts
from eunoe.domain.inputs import Answers
from eunoe.domain.messages import (
    Answer,
    ClientReturn,
    Decision,
    Image,
    Json,
    Message,
    Text,
    words_of,
)
from eunoe.domain.tools import ToolSchema
from eunoe.wire.content import Content, FetchImage, TextContent, part_bodies, parts_of
from eunoe.wire.shape import Shape, Strict, told_apart

RETURNABLE = frozenset({"text", "image"})


class ApprovalReturn(Strict):
    """What is asked is decided as it stands: fields that would change a call are refused."""

    type: Literal["approval"] = "approval"
    tool_call_id: str
    approve: bool
    reason: str | None = None


class ToolReturn(Shape):
    type: Literal["tool"] = "tool"
    tool_call_id: str
    tool_return: Content
    status: Literal["success", "error"]
    stdout: list[str] | None = None
    stderr: list[str] | None = None

    @field_validator("tool_return")
    @classmethod
    def _check_parts(cls, given: Content) -> Content:
        parts = () if isinstance(given, str) else given
        foreign = {part.type for part in parts} - RETURNABLE
        if foreign:
            raise ValueError(f"A tool returns text and images, not {', '.join(sorted(foreign))}.")
        return given


Approval: TypeAlias = Annotated[
    Annotated[ApprovalReturn, Tag("approval")] | Annotated[ToolReturn, Tag("tool")],
    told_apart(lambda answer: "tool" if "tool_return" in answer else "approval"),
]


class ApprovalCreate(Strict):
    type: Literal["approval"] = "approval"
    approvals: list[Approval] | None = None
    approve: bool | None = None
    approval_request_id: str | None = None
    reason: str | None = None
    otid: str | None = None
    group_id: str | None = None


class ToolReturnCreate(Shape):
    type: Literal["tool_return"] = "tool_return"
    tool_returns: list[ToolReturn]
    otid: str | None = None
    group_id: str | None = None


class ClientTool(Shape):
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: dict[str, Any] | None = None


class WireDecision(TypedDict):
    type: Literal["approval"]
    tool_call_id: str
    approve: bool
    reason: str | None


class WireToolReturn(TypedDict):
    type: Literal["tool"]
    tool_return: str | list[Json]
    status: Literal["success", "error"]
    tool_call_id: str
    stdout: list[str] | None
    stderr: list[str] | None


async def answers_of(item: ApprovalCreate | ToolReturnCreate, *, fetch: FetchImage) -> Answers:
    """Return what the client answers, images by URL fetched; the deprecated form is one entry."""
    entries: Sequence[ApprovalReturn | ToolReturn]
    if isinstance(item, ToolReturnCreate):
        entries = item.tool_returns
    elif item.approvals is None and item.approve is not None:
        asked = item.approval_request_id or ""
        entries = [ApprovalReturn(tool_call_id=asked, approve=item.approve, reason=item.reason)]
    else:
        entries = item.approvals or []
    given = tuple([await _answer(entry, fetch=fetch) for entry in entries])
    return Answers(given=given, otid=item.otid, group_id=item.group_id)


async def _answer(entry: ApprovalReturn | ToolReturn, *, fetch: FetchImage) -> Answer:
    match entry:
        case ApprovalReturn():
            return Decision(call_id=entry.tool_call_id, approve=entry.approve, reason=entry.reason)
        case ToolReturn():
            parts: tuple[Text | Image, ...] = ()
            given = [] if isinstance(entry.tool_return, str) else entry.tool_return
            if any(not isinstance(part, TextContent) or part.text for part in given):
                found = await parts_of(given, fetch=fetch)
                parts = tuple(part for part in found if isinstance(part, Text | Image))
            text = entry.tool_return if isinstance(entry.tool_return, str) else ""
            return ClientReturn(
                call_id=entry.tool_call_id,
                ok=entry.status == "success",
                output=text_of_parts(parts) if parts else text,
                stdout=tuple(entry.stdout or ()),
                stderr=tuple(entry.stderr or ()),
                parts=parts,
            )
        case _:
            assert_never(entry)


def client_tools(given: Sequence[ClientTool] | None) -> tuple[ToolSchema, ...]:
    """Return the tools that run on the client, the last of a name; no parameters are none (H18)."""
    empty: Json = {"type": "object", "properties": {}, "required": []}
    named = {
        one.name: ToolSchema(
            name=one.name,
            description=one.description or "",
            parameters=empty if one.parameters is None else one.parameters,
        )
        for one in given or ()
    }
    return tuple(named.values())


def shown_answers(answers: Sequence[Answer]) -> Json:
    """Return answers to calls; the deprecated fields are those of the first decision (api 9)."""
    first = next((one for one in answers if isinstance(one, Decision)), None)
    return {
        "message_type": "approval_response_message",
        "approvals": [_shown_answer(one) for one in answers],
        "approve": None if first is None else first.approve,
        "approval_request_id": None if first is None else first.call_id,
        "reason": None if first is None else first.reason,
    }


def _shown_answer(answer: Answer) -> WireDecision | WireToolReturn:
    match answer:
        case Decision():
            return {
                "type": "approval",
                "tool_call_id": answer.call_id,
                "approve": answer.approve,
                "reason": answer.reason,
            }
        case ClientReturn():
            return shown_return(answer)
        case _:
            assert_never(answer)


def shown_return(given: messages.ToolReturn | ClientReturn) -> WireToolReturn:
    """Return what a call came to, wherever it ran."""
    return {
        "type": "tool",
        "tool_return": list(part_bodies(given.parts)) or words_of(given.output),
        "status": "success" if given.ok else "error",
        "tool_call_id": given.call_id,
        "stdout": list(given.stdout) or None,
        "stderr": list(given.stderr) or None,
    }


def stored_answers(message: Message) -> Json:
    """Return what a message answers, in the stored form, which fans nothing out."""
    first = next((one for one in message.approvals if isinstance(one, Decision)), None)
    return {
        "approval_request_id": message.request_id,
        "approve": None if first is None else first.approve,
        "denial_reason": None if first is None else first.reason,
        "approvals": [_stored_answer(one) for one in message.approvals] or None,
    }


def _stored_answer(answer: Answer) -> Json:
    shown = cast("Json", _shown_answer(answer))
    if isinstance(answer, Decision):
        return shown
    del shown["type"]
    shown["func_response"] = shown.pop("tool_return")
    return shown
