"""A scripted server that speaks Anthropic's wire: messages, streamed or whole, and models.

Text after THINK becomes a signed thinking block, text after HIDE a redacted one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

import orjson

from eunoe.testing.chat_wire import pieces
from eunoe.testing.http_server import Request
from eunoe.testing.provider_server import Exchange, ProviderServer, Wire, last_said
from eunoe.testing.script import Json, Plan, plan

SIGNATURE: Final = "c2lnbmVkIGJ5IHRoZSBzY3JpcHQ="
_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def refusal(status: int, message: str) -> Json:
    kind = _KINDS.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def _streams(request: Request, wanted: Json) -> bool | None:
    is_reply = (request.method, request.path) == ("POST", "/v1/messages")
    return bool(wanted.get("stream")) if is_reply else None


def _planned(wanted: Json) -> Plan:
    said, tool_turns = last_said(cast("Sequence[Json]", wanted["messages"]), content="content")
    choice: Json = wanted.get("tool_choice") or {}
    forced = {"any": "required", "none": "none"}.get(choice.get("type", ""), choice.get("name"))
    offered: list[Json] = wanted.get("tools") or []
    tools: dict[str, Json] = {tool["name"]: tool.get("input_schema") or {} for tool in offered}
    planned = plan(said=said, tool_turns=tool_turns, tools=tools, choice=forced)
    thinking: Json = wanted.get("thinking") or {}
    if thinking.get("type") in {"enabled", "adaptive"}:
        return planned
    return replace(planned, thinking="", hidden="")


def _stable(wanted: Json) -> object:
    return [wanted.get("system"), wanted.get("tools")]


def _usage(exchange: Exchange) -> Json:
    """Return the input's counts: what carries a cache mark is written once, then read."""
    marked = b"cache_control" in orjson.dumps(_stable(exchange.wanted))
    size = exchange.stable_tokens if marked else 0
    return {
        "input_tokens": exchange.fresh_tokens,
        "cache_creation_input_tokens": 0 if exchange.known else size,
        "cache_read_input_tokens": size if exchange.known else 0,
    }


def _blocks(exchange: Exchange) -> list[Json]:
    planned = exchange.plan
    blocks: list[Json] = []
    if planned.hidden:
        blocks.append({"type": "redacted_thinking", "data": planned.hidden})
    if planned.thinking:
        thought = {"type": "thinking", "thinking": planned.thinking, "signature": SIGNATURE}
        blocks.append(thought)
    if planned.text:
        blocks.append({"type": "text", "text": planned.text})
    for index, call in enumerate(planned.calls):
        arguments: Any = orjson.loads(call.arguments)
        name = f"toolu_{exchange.number}_{index}"
        blocks.append({"type": "tool_use", "id": name, "name": call.name, "input": arguments})
    return blocks


def _reason(planned: Plan) -> str:
    return "tool_use" if planned.calls else "end_turn"


def _message(exchange: Exchange) -> Json:
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": exchange.wanted["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(exchange) | {"output_tokens": 1},
    }


def _whole(exchange: Exchange) -> Json:
    return _message(exchange) | {
        "content": _blocks(exchange),
        "stop_reason": _reason(exchange.plan),
        "usage": _usage(exchange) | {"output_tokens": exchange.said_tokens},
    }


def _event(value: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), orjson.dumps(value))


def _block_events(index: int, block: Json) -> list[bytes]:
    """Return a block as it is streamed: an empty one, then its deltas, then its end."""
    empty: Json = block
    deltas: list[Json] = []
    match block["type"]:
        case "thinking":
            empty = block | {"thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])
            ]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "text":
            empty = block | {"text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case "tool_use":
            empty = block | {"input": {}}
            written = orjson.dumps(block["input"]).decode()
            deltas = [
                {"type": "input_json_delta", "partial_json": piece} for piece in pieces(written)
            ]
        case _:
            pass
    start: Json = {"type": "content_block_start", "index": index, "content_block": empty}
    stop: Json = {"type": "content_block_stop", "index": index}
    bodies = [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
    return [_event(start), *map(_event, bodies), _event(stop)]


def _content(exchange: Exchange) -> list[bytes]:
    blocks = enumerate(_blocks(exchange))
    first, *rest = [e for index, block in blocks for e in _block_events(index, block)] or [b""]
    return [_event({"type": "message_start", "message": _message(exchange)}) + first, *rest]


def _closing(exchange: Exchange) -> bytes:
    delta = {"stop_reason": _reason(exchange.plan), "stop_sequence": None}
    counted = {"output_tokens": exchange.said_tokens}
    end = _event({"type": "message_delta", "delta": delta, "usage": counted})
    return end + _event({"type": "message_stop"})


def _models(names: Sequence[str]) -> Json:
    return {"data": [{"type": "model", "id": name} for name in names], "has_more": False}


_WIRE: Final = Wire(
    streams=_streams,
    planned=_planned,
    stable=_stable,
    content=_content,
    closing=_closing,
    whole=_whole,
    refusal=refusal,
    models=_models,
)


class AnthropicServer(ProviderServer):
    def __init__(self, *, models: Sequence[str] = ("claude-haiku-4-5",)) -> None:
        super().__init__(_WIRE, models=models)
