"""What is said in a message list, in our own shape: stored as it is, shown and sent by others."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

Role: TypeAlias = Literal["system", "user", "assistant", "tool", "approval", "summary"]
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    text: str
    signature: str | None = None
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """`data` is base64 of the bytes."""

    media_type: str
    data: str
    detail: str | None = None
    type: Literal["image"] = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """`native` is false where the text was an argument or a tag rather than the provider's own."""

    text: str
    signature: str | None = None
    native: bool = True
    type: Literal["reasoning"] = "reasoning"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedReasoning:
    data: str
    type: Literal["redacted_reasoning"] = "redacted_reasoning"


@dataclass(frozen=True, slots=True, kw_only=True)
class OmittedReasoning:
    signature: str | None = None
    type: Literal["omitted_reasoning"] = "omitted_reasoning"


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizedReasoning:
    id: str
    summary: tuple[str, ...] = ()
    encrypted: str | None = None
    type: Literal["summarized_reasoning"] = "summarized_reasoning"


Part: TypeAlias = (
    Text | Image | Reasoning | RedactedReasoning | OmittedReasoning | SummarizedReasoning
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """`arguments` is the JSON text as the model wrote it.

    An agent of the heartbeat loop also writes to the loop there, and that is kept apart:
    `heartbeat` is whether it is woken again after the call, as it asked and, once the call has
    come to something, as was decided (L58), `thinking` the thought in front of the call. A call
    of any other loop has neither. A call `by_client` runs on the client.
    """

    id: str
    name: str
    arguments: str
    by_client: bool = False
    heartbeat: bool | None = None
    thinking: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReturn:
    """`output` is what the tool gave, `time` is when, in the agent's zone as the model reads it.

    What a client gave in `parts` is in them; `output` is then their text.
    """

    call_id: str
    name: str
    ok: bool
    output: str | Json
    time: str
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    parts: tuple[Text | Image, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person says to a call that waits: to run it, or not, and why not."""

    call_id: str
    approve: bool
    reason: str | None = None
    type: Literal["approval"] = "approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReturn:
    """What a call came to that the client ran; `parts` as in `ToolReturn`."""

    call_id: str
    ok: bool
    output: str
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    parts: tuple[Text | Image, ...] = ()
    type: Literal["tool"] = "tool"


Answer: TypeAlias = Decision | ClientReturn


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One stored message. `run_id` and `step_id` are null where no run made it.

    One of the role `approval` asks about its `calls`, or holds `approvals` that answer the
    request `request_id`. `order` are the ids of all calls of a reply that a request is part of,
    as the model wrote them, where the others stand in the message before.
    """

    id: str
    role: Role
    agent_id: str
    created_at: datetime
    content: tuple[Part, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    returns: tuple[ToolReturn, ...] = ()
    approvals: tuple[Answer, ...] = ()
    request_id: str | None = None
    order: tuple[str, ...] = ()
    conversation_id: str | None = None
    model: str | None = None
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    step_id: str | None = None
    run_id: str | None = None
    is_err: bool = False


def text_of(message: Message) -> str:
    """Return the message's text parts, joined by a blank line; one may hold a signature alone."""
    return "\n\n".join(p.text for p in message.content if isinstance(p, Text) and p.text)


def words_of(output: object) -> str:
    """Return what a tool gave as text: as JSON, where it is not text by itself."""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def unanswered(messages: Sequence[Message]) -> list[ToolCall]:
    """Return the calls of the last assistant message that no return has come back for, in order.

    Only the last: an older call without a return was left by a process that died
    after its turn was closed, and the window drops it (`window.paired`).
    """
    answered: set[str] = set()
    for message in reversed(messages):
        answered.update(returned.call_id for returned in message.returns)
        if message.role == "assistant":
            return [call for call in message.calls if call.id not in answered]
        if message.role != "tool":
            return []
    return []
