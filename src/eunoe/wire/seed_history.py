"""A window as an OpenAI-style client wants to see it (agent S49 to S56).

`eunoe.http.seed` is where to import the function from. What a model is asked is written by
the adapters of `llm`; this is a view of what was said, for people's clients.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from eunoe.domain.messages import (
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
    text_of,
    words_of,
)
from eunoe.domain.wellformed import json_object
from eunoe.domain.window import packaged
from eunoe.wire.seed import DEFAULT_MESSAGE_TOOL, DEFAULT_MESSAGE_TOOL_KWARG
from eunoe.wire.seed_records import Record, stored

_ID_CHARS: Final = 29
_NAME: Final = re.compile(r"[^\s<|\\/>]+")
_IMAGE: Final = "[Image]"


def convert_in_context_letta_messages_to_openai(
    in_context_messages: Sequence[Message | Record], exclude_system_messages: bool = False
) -> list[Json]:
    """Return what was said as OpenAI's messages, the first as it is (S49 to S55).

    What is said through the message tool becomes plain text, envelopes of users are opened,
    and an answer to an approval request is left out (FIX-13). Raises `IndexError` for an
    empty window.
    """
    first, *rest = [
        stored(one) if isinstance(one, Record) else one
        for one in (in_context_messages[0], *in_context_messages[1:])
    ]
    plain = (_plain(one) for one in rest if _kept(one, exclude_system_messages))
    return [body for message in (first, *plain) for body in _openai(message)]


def _kept(message: Message, exclude_system: bool) -> bool:
    return not (exclude_system and message.role == "system")


def _plain(message: Message) -> Message:
    match message.role:
        case "assistant":
            return _spoken(message)
        case "user" | "summary":
            return _unwrapped(message)
        case "tool":
            heard = tuple(one for one in message.returns if one.name != DEFAULT_MESSAGE_TOOL)
            return replace(message, returns=heard)
        case _:
            return message


def _spoken(message: Message) -> Message:
    """Return a message that calls the message tool as the text it says first (S51, S52)."""
    call = next((one for one in message.calls if one.name == DEFAULT_MESSAGE_TOOL), None)
    if call is None:
        return message
    arguments = cast("Json", json.loads(call.arguments))
    text = str(arguments.get(DEFAULT_MESSAGE_TOOL_KWARG) or "")
    return Message(
        id=message.id,
        role=message.role,
        agent_id=message.agent_id,
        created_at=message.created_at,
        content=(Text(text=text),),
        model=message.model,
        name=message.name,
    )


def _unwrapped(message: Message) -> Message:
    """Return what is in the envelope of a message, whatever kind of envelope it is (S54)."""
    if not message.content:
        return message
    first = message.content[0]
    if not isinstance(first, Text):
        text = f"the first part of {message.id} has no text"
        raise AttributeError(text)  # noqa: TRY004 - callers know it as this
    if not first.text.strip().startswith("{"):
        return message
    envelope = json_object(first.text)
    if "message" not in envelope:
        return message
    return replace(message, content=(Text(text=words_of(envelope["message"])),))


# One message in OpenAI's form (S56)


def _openai(message: Message) -> Iterator[Json]:
    match message.role:
        case "system":
            yield {"role": "system", "content": text_of(message)}
        case "user" | "summary":
            yield _named({"role": "user", "content": _said(message.content)}, message.name)
        case "assistant":
            yield _assistant(message)
        case "approval" if message.calls:
            yield _assistant(message)
        case "tool" | "approval":
            yield from map(_returned, message.returns)


def _said(content: Sequence[Part]) -> str:
    texts = [part.text for part in content if isinstance(part, Text)]
    if not texts and any(isinstance(part, Image) for part in content):
        return _IMAGE
    return "\n\n".join(texts)


def _assistant(message: Message) -> Json:
    body: Json = {"role": "assistant", "content": _said(message.content) or None}
    if message.calls:
        body["tool_calls"] = [_call(call) for call in message.calls]
    elif body["content"] is None:
        body["content"] = ""
    thoughts = [part for part in message.content if isinstance(part, Reasoning)]
    if thoughts and len(message.content) > 1:
        body["reasoning_content"] = "\n\n".join(part.text for part in thoughts)
        signature = next((part.signature for part in thoughts if part.signature), None)
        if signature is not None:
            body["reasoning_content_signature"] = signature
    return _named(body, message.name)


def _call(call: ToolCall) -> Json:
    function: dict[str, Any] = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id[:_ID_CHARS], "type": "function", "function": function}


def _returned(given: ToolReturn) -> Json:
    return {"role": "tool", "content": packaged(given), "tool_call_id": given.call_id[:_ID_CHARS]}


def _named(body: Json, name: str | None) -> Json:
    """Return the message with the name of who speaks, where OpenAI takes such a name."""
    return {**body, "name": name} if name and _NAME.fullmatch(name) else body
