"""A conversation as somebody remembers it who speaks: words alone, and no tool for them (G23).

A voice agent speaks through `send_message` where it is written to, and in plain text where it
is spoken to. Both are stored in the one way, so that either can go on from the other.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eunoe.domain.arguments import RESERVED, read_arguments
from eunoe.domain.heartbeats import MESSAGE, SEND_MESSAGE
from eunoe.domain.messages import Message, Reasoning, Text, ToolCall, text_of
from eunoe.domain.peers import sent_text
from eunoe.domain.summaries import unwrapped
from eunoe.errors import ToolArgumentsInvalid

_ID_CHARS: Final = 24


def as_sent(reply: Message) -> Message:
    """Return a reply whose text is stored as a call that sends it; other calls go on after it."""
    text = text_of(reply)
    calls = tuple(replace(call, heartbeat=call.name != SEND_MESSAGE) for call in reply.calls)
    if not text:
        return replace(reply, calls=calls)
    arguments = json.dumps({MESSAGE: text}, ensure_ascii=False)
    call_id = f"call_{reply.id[-_ID_CHARS:]}"
    spoken = ToolCall(id=call_id, name=SEND_MESSAGE, arguments=arguments, heartbeat=False)
    content = tuple(part for part in reply.content if not isinstance(part, Text))
    return replace(reply, content=content, calls=(spoken, *calls))


def as_spoken(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return what was sent by tool as said, and envelopes as their text (S51, S54)."""
    told: list[Message] = []
    for message in messages:
        heard = _heard(message)
        if heard.content or heard.calls or heard.returns or heard.approvals:
            told.append(heard)
    return tuple(told)


def _heard(message: Message) -> Message:
    match message.role:
        case "user":
            parts = (
                Text(text=unwrapped(part.text)) if isinstance(part, Text) else part
                for part in message.content
            )
            return replace(message, content=tuple(parts))
        case "tool":
            others = tuple(one for one in message.returns if one.name != SEND_MESSAGE)
            return message if others == message.returns else replace(message, returns=others)
        case "assistant" if message.calls:
            return _said(message)
        case _:
            return message


def _said(message: Message) -> Message:
    sent = [text for call in message.calls if (text := sent_text(call))]
    others = tuple(_plain(call) for call in message.calls if call.name != SEND_MESSAGE)
    thought = tuple(
        part
        for part in message.content
        if not isinstance(part, Text) and not (isinstance(part, Reasoning) and not part.native)
    )
    said = tuple(Text(text=text) for text in sent)
    return replace(message, content=(*thought, *said), calls=others)


def _plain(call: ToolCall) -> ToolCall:
    """Return a call without what an agent of the heartbeat loop says to the loop with it."""
    bare = replace(call, heartbeat=None, thinking=None)
    try:
        written = read_arguments(call.arguments)
    except ToolArgumentsInvalid:
        return bare
    own = {key: value for key, value in written.items() if key not in RESERVED}
    if own == written:
        return bare
    return replace(bare, arguments=json.dumps(own, ensure_ascii=False))
