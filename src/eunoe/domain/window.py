"""What is sent to a model of what is stored: the same for every provider.

Cleaning looks only backwards: what a message becomes does not depend on what is
said later, once its calls are answered. The cleaned history of the next request
starts with that of the last one, so that provider prompt caches hit.
"""

import json
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Final, assert_never

from eunoe.domain.approvals import asks, goes_on, in_order
from eunoe.domain.envelopes import result_envelope
from eunoe.domain.heartbeats import speaks_by_calls, with_text_back
from eunoe.domain.messages import (
    Image,
    Message,
    OmittedReasoning,
    Part,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
    ToolReturn,
)
from eunoe.domain.models import ModelConfig
from eunoe.domain.pairing import Pairing
from eunoe.domain.tools import ToolSchema
from eunoe.domain.wellformed import well_formed

IMAGE_TOKENS: Final = 1_000
_RETURN_FLOOR_CHARS: Final = 5_000
_RETURN_SHARE: Final = 0.2
_BYTES_PER_TOKEN: Final = 4
_THOUGHTS: Final = (Reasoning, RedactedReasoning, OmittedReasoning, SummarizedReasoning)


def packaged(result: ToolReturn) -> str:
    """Return a tool's return as the model reads it: an envelope of JSON (S48)."""
    return result_envelope(result.output, ok=result.ok, time=result.time)


def return_char_limit(context_window: int) -> int:
    """Return how many characters of a tool's return are sent, by window size in tokens (L32)."""
    return max(_RETURN_FLOOR_CHARS, int(context_window * _RETURN_SHARE * _BYTES_PER_TOKEN))


def thinks(config: ModelConfig) -> bool:
    """Whether a model so configured reasons; if not, old reasoning is not sent (L26, FIX-6).

    DeepSeek has no switch for it, and refuses a turn whose reasoning is left out (10.4).
    """
    switched_on = config.enable_reasoner or config.max_reasoning_tokens > 0
    return switched_on or config.provider_type == "deepseek"


def cleaned(
    messages: Sequence[Message],
    *,
    context_window: int,
    keep_reasoning: bool = True,
    taken: Container[str] = frozenset(),
) -> tuple[Message, ...]:
    """Return `messages` as any provider takes them (P5 to P11), `context_window` in tokens.

    Only the roles system, user, assistant and tool are left: an approval request
    belongs to its step's assistant message, a summary is a user message (C21), as are the
    images that a tool of the client gave back.
    Each assistant message that calls is followed by one tool message with the
    return of each call, in call order; a call without one gets a return that says
    its outcome is unknown, a return without a call is dropped.
    `taken` are the ids of the calls in what was cleaned before and stands in front: where that
    ends with every call answered, cleaning piece by piece gives what cleaning the whole gives.
    """
    asked = list(_asked(messages))
    pairing = Pairing(asked, limit=return_char_limit(context_window), taken=taken)
    sent: list[Message] = []
    for message in asked:
        if message.role == "tool":
            continue
        clean = _with_clean_parts(message, keep_reasoning=keep_reasoning)
        if message.role != "assistant":
            sent.append(clean)
            continue
        calls, answer = pairing.paired(message)
        if not calls and not _says(clean):
            continue
        sent.append(clean if calls == clean.calls else replace(clean, calls=calls))
        if answer is not None:
            sent += [answer, *_pictures(answer)]
    return tuple(sent)


def call_ids(messages: Sequence[Message]) -> frozenset[str]:
    return frozenset(call.id for message in messages for call in message.calls)


def settled_upto(messages: Sequence[Message]) -> int:
    """Return how many messages from the start may be cleaned for good.

    All of them, or all but a last step whose calls still wait for their answers.
    """
    answered: set[str] = set()
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        answered.update(result.call_id for result in message.returns)
        if any(call.id not in answered for call in message.calls):
            return at - 1 if at > 0 and goes_on(messages[at - 1], message) else at
        if message.role == "assistant":
            break
    return len(messages)


def estimate_tokens(
    *, system: str = "", messages: Sequence[Message] = (), tools: Sequence[ToolSchema] = ()
) -> int:
    """Return about how many tokens a request takes; the one counter there is (FIX-44).

    A quarter of the bytes, rounded up, of each of the three parts, plus a fixed price
    for each image, whose bytes say nothing of what it costs. `messages` are to be
    `cleaned`: what is not sent does not count.
    """
    counted = _tokens("".join(map(_text_sent, messages)))
    images = sum(isinstance(part, Image) for message in messages for part in message.content)
    return _tokens(system) + counted + images * IMAGE_TOKENS + tool_tokens(tools)


def tool_tokens(tools: Sequence[ToolSchema]) -> int:
    """Return about how many tokens the definitions of `tools` take."""
    if not tools:
        return 0
    definitions = [definition(tool) for tool in tools]
    return _tokens(json.dumps(definitions, ensure_ascii=False, separators=(",", ":")))


def definition(tool: ToolSchema) -> dict[str, object]:
    """Return a tool as a function definition in the common shape."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


# Which messages take part


def _asked(messages: Sequence[Message]) -> Iterator[Message]:
    """Yield what takes part in a request, approval requests joined to their step (P5, P6)."""
    held: Message | None = None
    for message in _without_pending([m for m in messages if not _is_decision(m)]):
        if held is not None and goes_on(held, message):
            calls = in_order(held.calls + message.calls, message.order)
            held = replace(held, content=held.content + message.content, calls=calls)
            continue
        if held is not None:
            yield held
        held = _in_provider_role(message)
    if held is not None:
        yield held


def _is_decision(message: Message) -> bool:
    """Whether it is only the answer to an approval request, which the model has no part in."""
    return message.role == "approval" and not message.calls and not message.returns


def _in_provider_role(message: Message) -> Message:
    match message.role:
        case "summary":
            return replace(message, role="user")
        case "approval":
            return replace(message, role="assistant" if message.calls else "tool")
        case "system" | "user" | "assistant" | "tool":
            return message
        case _:
            assert_never(message.role)


def _without_pending(messages: Sequence[Message]) -> Sequence[Message]:
    """Return `messages` without an approval request at the end and its step's message (P5)."""
    if not messages or not asks(messages[-1]):
        return messages
    rest = messages[:-1]
    return rest[:-1] if rest and goes_on(rest[-1], messages[-1]) else rest


# What is in them


def _with_clean_parts(message: Message, *, keep_reasoning: bool) -> Message:
    written = with_text_back(message) if speaks_by_calls(message) else message
    parts = tuple(
        _clean(part)
        for part in written.content
        if keep_reasoning or not isinstance(part, _THOUGHTS)
    )
    return message if parts == message.content else replace(message, content=parts)


def _clean(part: Part) -> Part:
    match part:
        case Text() | Reasoning():
            text = well_formed(part.text)
            return part if text == part.text else replace(part, text=text)
        case SummarizedReasoning():
            return replace(part, summary=tuple(map(well_formed, part.summary)))
        case Image() | RedactedReasoning() | OmittedReasoning():
            return part
        case _:
            assert_never(part)


def _says(message: Message) -> bool:
    """Whether more than reasoning is in the content; no provider takes back thoughts alone."""
    return any(
        not isinstance(part, _THOUGHTS) and (not isinstance(part, Text) or part.text != "")
        for part in message.content
    )


def _pictures(answer: Message) -> Iterator[Message]:
    """Yield the images that came back as a message of their own: no returned text can hold one."""
    for result in answer.returns:
        images = tuple(part for part in result.parts if isinstance(part, Image))
        if images:
            told = Text(text=f"What `{result.name}` ({result.call_id}) returned has images:")
            yield replace(answer, role="user", content=(told, *images), returns=())


# Counting


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def _text_sent(message: Message) -> str:
    """Return what of `message` costs tokens, as text."""
    rows: list[object] = [_counted(part) for part in message.content]
    rows += [{"name": call.name, "arguments": call.arguments} for call in message.calls]
    rows += [packaged(result) for result in message.returns]
    return json.dumps({"role": message.role, "content": rows}, ensure_ascii=False)


def _counted(part: Part) -> str:
    match part:
        case Text() | Reasoning():
            return part.text
        case SummarizedReasoning():
            return "\n".join(part.summary)
        case RedactedReasoning():
            return part.data
        case Image() | OmittedReasoning():
            return ""
        case _:
            assert_never(part)
