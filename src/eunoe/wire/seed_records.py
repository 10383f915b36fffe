"""Message records with the fields that callers of the shared functions know (agent 2B).

A record is not what is stored: `stored` makes that of it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias, cast

from eunoe import ids
from eunoe.domain.alike import alike
from eunoe.domain.messages import Json, Message, Part, Role, Text, ToolCall, ToolReturn
from eunoe.domain.wellformed import json_object

Status: TypeAlias = Literal["success", "error"]


def now() -> datetime:
    return datetime.now(UTC)


def message_id(given: str | None) -> str:
    """Return the id that was chosen beforehand, or a fresh one (S65)."""
    return given or ids.new("message")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """`arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRecord:
    """What a call came to; `func_response` is the packaged text."""

    tool_call_id: str | None
    status: Status
    stdout: list[str] | None = None
    stderr: list[str] | None = None
    func_response: str | tuple[Part, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's word on one call; `reason` is what it was refused for."""

    tool_call_id: str
    approve: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message, made and not yet stored (S64). `created_at` is in UTC (S65)."""

    id: str = field(default_factory=lambda: message_id(None))
    role: Role
    agent_id: str
    created_at: datetime = field(default_factory=now)
    content: tuple[Part, ...] = ()
    model: str | None = None
    name: str | None = None
    tool_calls: tuple[CallRecord, ...] | None = None
    tool_call_id: str | None = None
    tool_returns: tuple[ReturnRecord, ...] = ()
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    step_id: str | None = None
    run_id: str | None = None
    batch_item_id: str | None = None
    approval_request_id: str | None = None
    approve: bool | None = None
    denial_reason: str | None = None
    approvals: tuple[Decision | ReturnRecord, ...] = ()


def stored(record: Record) -> Message:
    """Return a record as a message that the store, the window and the wire take."""
    return alike(
        Message,
        record,
        content=() if record.role == "tool" else record.content,
        calls=tuple(
            ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
            for call in record.tool_calls or ()
        ),
        returns=tuple(_returned(record, one) for one in record.tool_returns),
        approvals=(),
    )


def _returned(record: Record, given: ReturnRecord) -> ToolReturn:
    text = "".join(part.text for part in record.content if isinstance(part, Text))
    packed = json_object(text)
    output = cast("str | Json", packed.get("message") or "")
    return ToolReturn(
        call_id=given.tool_call_id or "",
        name=record.name or "",
        ok=given.status == "success",
        output=output,
        time=str(packed.get("time", "")),
        stdout=tuple(given.stdout or ()),
        stderr=tuple(given.stderr or ()),
    )
