"""Chat completions as a provider writes them, from a `Plan`."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from eunoe.testing.script import Json, Plan, plan, unpacked

_ARGUMENT_PIECES = 6


def planned(request: Json, *, words: int) -> Plan:
    """Return what to answer to the chat completions request `request`."""
    said, tool_turns = last_said(cast("Sequence[Json]", request.get("messages") or ()))
    functions = [tool["function"] for tool in request.get("tools") or ()]
    return plan(
        said=said,
        tool_turns=tool_turns,
        tools={f["name"]: f.get("parameters") or {} for f in functions},
        choice=_choice(request.get("tool_choice")),
        words=words,
    )


def last_said(messages: Sequence[Json]) -> tuple[str, int]:
    """Return the last user message's text, and how many turns of tool results came after it.

    The messages may also be the items of a request for a response.
    """
    turns = 0
    was_result = False
    for message in reversed(messages):
        kind = message.get("role") or message.get("type")
        if kind == "user":
            return unpacked(text_of(message.get("content"))), turns
        is_result = kind in {"tool", "function_call_output"}
        turns += is_result and not was_result
        was_result = is_result
    return "", turns


def text_of(content: object) -> str:
    """Return the text of a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = cast("Sequence[Json]", content or ())
    return "\n".join(str(part["text"]) for part in parts if part.get("text"))


def _choice(choice: object) -> str | None:
    if isinstance(choice, dict):
        named: Json = cast("Json", choice).get("function") or {}
        return named.get("name")
    return choice if isinstance(choice, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How large a request was, in bytes, and how much of its beginning a cache held."""

    size: int
    cached: int = 0


def usage(plan_: Plan, *, sent: Sent) -> Json:
    """Return made-up but plausible token counts: four bytes a token of prompt, a word a token."""
    said = plan_.text + plan_.thinking + "".join(c.arguments for c in plan_.calls)
    prompt, completion = _prompt_tokens(sent.size), len(said.split()) + len(plan_.calls)
    thought = {"completion_tokens_details": {"reasoning_tokens": len(plan_.thinking.split())}}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": sent.cached // 4},
    } | (thought if plan_.thinking else {})


def _reason(plan_: Plan) -> str:
    if plan_.cut:
        return "length"
    return "tool_calls" if plan_.calls else "stop"


def tokens(plan_: Plan, request: Json) -> Json:
    """Return what a request asks for of the reply's tokens, which are its words."""
    words = plan_.text.split()
    top = [{"token": "so", "logprob": -2.0, "bytes": None}] if request.get("top_logprobs") else []
    rows = [
        {"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": top}
        for word in words
    ]
    return {
        **({"logprobs": {"content": rows, "refusal": None}} if request.get("logprobs") else {}),
        **({"token_ids": [*range(len(words))]} if request.get("return_token_ids") else {}),
    }


def body(plan_: Plan, *, model: str, number: int, sent: Sent, told: Json | None = None) -> bytes:
    """Return the whole reply as one JSON body, with what is `told` of its tokens."""
    message: Json = {"role": "assistant", "content": plan_.text or None}
    if plan_.thinking:
        message["reasoning_content"] = plan_.thinking
    if plan_.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{index}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(plan_.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": _reason(plan_), **(told or {})}
    reply = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [choice],
        "usage": usage(plan_, sent=sent),
    }
    return orjson.dumps(reply)


def content_chunks(plan_: Plan, *, model: str, number: int) -> list[bytes]:
    """Return the events that carry the reply, without its end."""
    head = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": model,
    }
    deltas: Iterator[Json] = itertools.chain(
        ({"reasoning_content": piece} for piece in _words(plan_.thinking)),
        _call_deltas(plan_, number=number),
        ({"content": piece} for piece in _words(plan_.text)),
    )
    return [
        event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        for delta in deltas
    ]


def closing(plan_: Plan, *, model: str, number: int, sent: Sent, with_usage: bool) -> bytes:
    """Return the events that end a reply: finish reason, usage where asked for, terminator."""
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "model": model}
    choice: Json = {"index": 0, "delta": {}, "finish_reason": _reason(plan_)}
    end = event(head | {"choices": [choice]})
    if with_usage:
        counted: Json = {"choices": [], "usage": usage(plan_, sent=sent)}
        end += event(head | counted)
    return end + b"data: [DONE]\n\n"


def event(value: object) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _words(text: str) -> Iterator[str]:
    if text:
        first, *rest = text.split(" ")
        yield first
        yield from (f" {word}" for word in rest)


def _call_deltas(plan_: Plan, *, number: int) -> Iterator[Json]:
    for index, call in enumerate(plan_.calls):
        opening = {"name": call.name, "arguments": ""}
        identity = {"id": f"call_{number}_{index}", "type": "function"}
        yield {"tool_calls": [{"index": index, "function": opening} | identity]}
        for piece in pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def pieces(text: str) -> Iterator[str]:
    """Cut `text` into a few fragments, as a provider streams arguments."""
    size = max(1, -(-len(text) // _ARGUMENT_PIECES))
    return (text[i : i + size] for i in range(0, len(text), size))


def _prompt_tokens(request_bytes: int) -> int:
    return max(1, request_bytes // 4)


def overflow(*, request_bytes: int, window: int | None) -> bytes | None:
    """Return the refusal of a prompt that is longer than `window` tokens, null for any other."""
    tokens = _prompt_tokens(request_bytes)
    if window is None or tokens <= window:
        return None
    said = f"This model's maximum context length is {window} tokens, and {tokens} were sent."
    return refusal(400, said, code="context_length_exceeded")


def refusal(status: int, message: str, *, code: str | None = None) -> bytes:
    error = {"message": message, "type": "scripted_error", "param": None, "code": code}
    return orjson.dumps({"error": error})
