"""Messages as agent files hold them: the stored form of the V1 API, both directions (api 7.1)."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from pydantic import ConfigDict, Field, field_validator

from eunoe.domain.agent_files import in_utc
from eunoe.domain.agents import PLAIN_TEXT, AgentType
from eunoe.domain.approvals import text_of_parts
from eunoe.domain.arguments import REQUEST_HEARTBEAT, THINKING
from eunoe.domain.messages import (
    Answer,
    ClientReturn,
    Decision,
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolReturn,
    words_of,
)
from eunoe.domain.times import stamp
from eunoe.domain.wellformed import json_object
from eunoe.domain.window import packaged
from eunoe.wire.content import (
    Content,
    ContentPart,
    ImageContent,
    LettaImage,
    TextContent,
    ToolCallContent,
    ToolReturnContent,
    UrlImage,
    held_image,
    part_bodies,
    plain_part,
)
from eunoe.wire.message_search import stored_form
from eunoe.wire.shape import Shape

_UNKNOWN_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT: Final = (
    "id", "role", "content", "name", "model", "agent_id", "tool_calls", "tool_call_id",
    "tool_returns", "created_at", "approve", "approval_request_id", "denial_reason", "approvals",
    "group_id",
)  # fmt: skip
# Older servers called a thought by another name.
_THOUGHT: Final = re.compile(rf'\{{\s*"(?:{THINKING}|inner_thoughts)"\s*:\s*')
_WOKEN: Final = re.compile(rf'(?:,\s*|(?<=\{{))"{REQUEST_HEARTBEAT}"\s*:\s*(true|false)\s*\}}\s*$')


# Writing


def message_entry(message: Message) -> Json:
    """Return a message as a file holds it: without otid, sender, run and step (7.1.5)."""
    stored = stored_form(message)
    entry: Json = {"type": "message", **{name: stored[name] for name in _KEPT}}
    entry |= {"otid": None, "sender_id": None, "batch_item_id": None}
    if message.returns:
        entry["content"] = [{"type": "text", "text": packaged(message.returns[0])}]
        entry["name"] = message.name or message.returns[0].name or None
        entry["tool_returns"] = [
            shown | {"func_response": list(part_bodies(one.parts)) or packaged(one)}
            for shown, one in zip(stored["tool_returns"], message.returns, strict=True)
        ]
    return entry


# Reading


class _Function(Shape):
    name: str
    arguments: str | dict[str, Any] = "{}"

    def text(self) -> str:
        return words_of(self.arguments)


class _Call(Shape):
    id: str
    function: _Function


class _Came(Shape):
    """What a call came to, wherever it ran."""

    status: Literal["success", "error"] = "success"
    stdout: list[str] | None = None
    stderr: list[str] | None = None
    func_response: str | list[ContentPart] | None = None


class _Return(_Came):
    tool_call_id: str | None = None


class _Approval(_Came):
    """A decision, or what a client's tool came to, by what it holds."""

    type: str | None = None
    tool_call_id: str = ""
    approve: bool | None = None
    reason: str | None = None
    tool_return: str | list[ContentPart] | None = None

    def answer(self) -> Answer:
        if self.approve is not None:
            return Decision(call_id=self.tool_call_id, approve=self.approve, reason=self.reason)
        given = self.func_response if self.tool_return is None else self.tool_return
        parts = _shown_parts(given)
        return ClientReturn(
            call_id=self.tool_call_id,
            ok=self.status == "success",
            output=text_of_parts(parts) if parts else _plain(given),
            stdout=tuple(self.stdout or ()),
            stderr=tuple(self.stderr or ()),
            parts=parts,
        )


class MessageEntry(Shape):
    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1)
    type: str | None = "message"
    role: Literal["system", "user", "assistant", "tool", "function", "approval", "summary"]
    content: Content | None = None
    name: str | None = None
    model: str | None = None
    agent_id: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    batch_item_id: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    tool_returns: list[_Return] | None = None
    created_at: datetime | None = None
    approve: bool | None = None
    approval_request_id: str | None = None
    denial_reason: str | None = None
    approvals: list[_Approval] | None = None

    @field_validator("created_at")
    @classmethod
    def _time_is_utc(cls, at: datetime | None) -> datetime | None:
        return None if at is None else in_utc(at)

    def message(
        self, *, agent_id: str, agent_type: AgentType, timezone: str, calls: dict[str, str]
    ) -> Message:
        """Return the message; `calls` maps ids of calls made so far to tools, and learns more."""
        role: Role = "tool" if self.role == "function" else self.role
        made = self._calls(speaks_to_loop=agent_type not in PLAIN_TEXT)
        calls.update({call.id: call.name for call in made})
        at = self.created_at or _UNKNOWN_TIME
        returns: tuple[ToolReturn, ...] = ()
        if role == "tool":
            returns = self._returns(calls, time=stamp(at, timezone=timezone))
        return Message(
            id=self.id,
            role=role,
            agent_id=agent_id,
            content=() if returns else self._said(thinks=bool(made) and _thinks(agent_type)),
            calls=made,
            returns=returns,
            approvals=self._approvals(),
            request_id=self.approval_request_id,
            name=None if returns else self.name,
            model=self.model,
            group_id=self.group_id,
            created_at=at,
        )

    def _said(self, *, thinks: bool) -> tuple[Part, ...]:
        """Return the content; the text beside the calls of an agent that `thinks` is a thought."""
        return tuple(
            Reasoning(text=part.text, signature=part.signature, native=False)
            if thinks and isinstance(part, Text)
            else part
            for part in _parts(self._content())
        )

    def _content(self) -> Sequence[ContentPart]:
        if isinstance(self.content, str):
            return [TextContent(text=self.content)] if self.content else []
        return self.content or []

    def _calls(self, *, speaks_to_loop: bool) -> tuple[ToolCall, ...]:
        found = [(one.id, one.function.name, one.function.text()) for one in self.tool_calls or ()]
        if not found:
            found = [
                (part.id, part.name, words_of(part.input))
                for part in self._content()
                if isinstance(part, ToolCallContent)
            ]
        return tuple(
            _call(call_id, name, text, speaks_to_loop=speaks_to_loop)
            for call_id, name, text in found
        )

    def _returns(self, calls: Mapping[str, str], *, time: str) -> tuple[ToolReturn, ...]:
        given = self.tool_returns or [
            _Return(
                tool_call_id=part.tool_call_id,
                status="error" if part.is_error else "success",
                func_response=part.content,
            )
            for part in self._content()
            if isinstance(part, ToolReturnContent)
        ]
        given = given or [_Return(tool_call_id=self.tool_call_id)]
        text = "\n".join(part.text for part in self._content() if isinstance(part, TextContent))
        return tuple(
            _returned(
                one,
                call_id=one.tool_call_id or self.tool_call_id or "",
                name=calls.get(one.tool_call_id or self.tool_call_id or "") or self.name or "",
                time=time,
                # Older servers kept what a tool gave in the content alone; so are words of parts.
                text="" if at else text,
            )
            for at, one in enumerate(given)
        )

    def _approvals(self) -> tuple[Answer, ...]:
        if self.approvals:
            return tuple(one.answer() for one in self.approvals)
        if self.role == "approval" and self.approve is not None and not self.tool_calls:
            asked = self.tool_call_id or self.approval_request_id or ""
            return (Decision(call_id=asked, approve=self.approve, reason=self.denial_reason),)
        return ()


def _thinks(agent_type: AgentType) -> bool:
    """Whether an agent acts and speaks through calls alone, so that its text is a thought (9.6)."""
    return agent_type not in PLAIN_TEXT and agent_type != "voice_convo_agent"


def _returned(given: _Return, *, call_id: str, name: str, time: str, text: str) -> ToolReturn:
    """Return what a call came to; `text` is what the message says of it beside."""
    parts = _shown_parts(given.func_response)
    text = given.func_response if isinstance(given.func_response, str) else text
    output: str | Json = text or text_of_parts(parts)
    ok = given.status == "success"
    envelope = json_object(text)
    message: object = envelope.get("message")
    if envelope.keys() <= {"status", "message", "time"} and isinstance(message, str | dict):
        output = cast("str | Json", message)
        ok = ok and envelope.get("status") != "Failed"
        time = str(envelope.get("time") or time)
    return ToolReturn(
        call_id=call_id,
        name=name,
        ok=ok,
        output=output,
        time=time,
        stdout=tuple(given.stdout or ()),
        stderr=tuple(given.stderr or ()),
        parts=parts,
    )


def _call(call_id: str, name: str, text: str, *, speaks_to_loop: bool) -> ToolCall:
    """Return a call; what an agent of the heartbeat loop said to the loop is taken out of it."""
    if not speaks_to_loop:
        return ToolCall(id=call_id, name=name, arguments=text)
    thinking, heartbeat = None, False
    opening = _THOUGHT.match(text)
    if opening is not None:
        try:
            thought, end = json.JSONDecoder().raw_decode(text, opening.end())
        except (ValueError, RecursionError):
            thought, end = None, 0
        if isinstance(thought, str):
            thinking, text = thought, "{" + text[end:].lstrip().removeprefix(",").lstrip()
    closing = _WOKEN.search(text)
    if closing is not None:
        heartbeat, text = closing[1] == "true", f"{text[: closing.start()]}}}"
    return ToolCall(id=call_id, name=name, arguments=text, heartbeat=heartbeat, thinking=thinking)


def _plain(given: str | Sequence[ContentPart] | None) -> str:
    return given if isinstance(given, str) else ""


def _shown_parts(given: str | Sequence[ContentPart] | None) -> tuple[Text | Image, ...]:
    if given is None or isinstance(given, str):
        return ()
    return tuple(part for part in _parts(given) if isinstance(part, Text | Image))


def _parts(content: Iterable[ContentPart]) -> Iterable[Part]:
    """Yield what the parts say; calls and returns are kept beside the content."""
    for part in content:
        made = _part(part)
        if made is not None:
            yield made


def _part(part: ContentPart) -> Part | None:
    if isinstance(part, ImageContent):
        return _image(part)
    if isinstance(part, ToolCallContent | ToolReturnContent):
        return None
    return plain_part(part)


def _image(part: ImageContent) -> Part:
    """Return an image that the file holds, and for one that is elsewhere where it is."""
    match part.source:
        case LettaImage(data=None) as source:
            return Text(text=f"[An image that is not in the file: {source.file_id}]")
        case UrlImage() as source:
            return Text(text=f"[An image: {source.url}]")
        case source:
            return held_image(source)
